// Staging of real repositories, with the git of this machine.
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseDockerignore } from "../../components/agent/dockerignore.ts";
import { stageTree } from "../../components/agent/workspace-tree.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bt-agent-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (...parts: string[]) => join(folder, ...parts);
const env = { ...process.env, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@x", GIT_COMMITTER_NAME: "A", GIT_COMMITTER_EMAIL: "a@x" };
const git = (directory: string, ...args: string[]) =>
  execFileSync("git", ["-c", "protocol.file.allow=always", "-c", "core.hooksPath=/dev/null", ...args], { cwd: at(directory), env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trimEnd();
const put = (path: string, content = path) => {
  mkdirSync(at(path, ".."), { recursive: true });
  writeFileSync(at(path), content);
};
/** A repository with one commit. */
const repository = (name: string, branch = "main") => {
  mkdirSync(at(name), { recursive: true });
  git(name, "init", "-q", "-b", branch);
  put(`${name}/file.txt`, "one\n");
  put(`${name}/.gitignore`, "ignored\n*.log\n.env\n");
  git(name, "add", "-A");
  git(name, "commit", "-qm", "first");
};
/** Stages and puts files and repositories together, as the image does. */
const stage = async (source: string, dockerignore?: string) => {
  for (const name of ["tree", "repositories", "scratch"]) mkdirSync(at("staged", name), { recursive: true });
  await stageTree({ source: at(source), tree: at("staged/tree"), repositories: at("staged/repositories"), scratch: at("staged/scratch"), ...(dockerignore === undefined ? {} : { ignores: parseDockerignore(dockerignore) }) });
  execFileSync("cp", ["-a", `${at("staged/repositories")}/.`, at("staged/tree")]);
  renameSync(at("staged/tree"), at("out"));
};
const files = (directory: string): string[] =>
  execFileSync("find", [at(directory), "-name", ".git", "-prune", "-o", "(", "-type", "f", "-o", "-type", "l", ")", "-printf", "%P\\n"], { encoding: "utf8" }).split("\n").filter(Boolean).sort();
const everything = (directory: string): string =>
  execFileSync("grep", ["-rlaF", "SECRET", at(directory)], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const status = (directory: string) => git(directory, "status", "--porcelain=v2", "--branch", "--untracked-files=all");

describe("a staged repository", () => {
  it("has the same status, history and branches as outside", async () => {
    repository("src");
    git("src", "branch", "other");
    git("src", "tag", "-a", "v1", "-m", "tag");
    put("src/staged.txt");
    put("src/both.txt", "a");
    git("src", "add", "staged.txt", "both.txt");
    put("src/both.txt", "b");
    put("src/intent.txt");
    git("src", "add", "-N", "intent.txt");
    put("src/new file ä.txt");
    put("src/file.txt", "changed\n");
    put("src/ignored/x");
    put("src/a.log");
    put("src/run.sh");
    chmodSync(at("src/run.sh"), 0o755);
    symlinkSync("file.txt", at("src/link"));
    await stage("src");
    expect(status("out")).toBe(status("src"));
    expect(git("out", "diff", "--cached")).toBe(git("src", "diff", "--cached"));
    expect(git("out", "for-each-ref")).toBe(git("src", "for-each-ref"));
    expect(files("out")).toEqual([".gitignore", "both.txt", "file.txt", "intent.txt", "link", "new file ä.txt", "run.sh", "staged.txt"]);
    expect(readlinkSync(at("out/link"))).toBe("file.txt");
    expect(lstatSync(at("out/run.sh")).mode & 0o111).not.toBe(0);
    git("out", "fsck", "--strict");
  });

  it("holds no credential, hook, stash, reflog or dropped commit", async () => {
    repository("src");
    put("src/file.txt", "SECRET amended away\n");
    git("src", "commit", "-qam", "oops");
    git("src", "reset", "-q", "--hard", "HEAD~1");
    put("src/file.txt", "SECRET stashed\n");
    git("src", "stash");
    git("src", "notes", "add", "-m", "SECRET note");
    git("src", "update-ref", "refs/private/x", git("src", "commit-tree", "HEAD^{tree}", "-m", "SECRET private"));
    git("src", "remote", "add", "origin", "https://user:SECRET@example.com/x?token=SECRET");
    for (const [key, value] of [["http.https://example.com/.extraheader", "Authorization: SECRET"], ["credential.helper", "!SECRET"], ["url.https://SECRET@example.com/.insteadOf", "x:"], ["core.sshCommand", "SECRET"], ["filter.x.clean", "SECRET"], ["include.path", "SECRET"]] as const) {
      git("src", "config", key, value);
    }
    put("src/.git/hooks/pre-commit", "SECRET");
    put("src/.git/SECRET", "SECRET");
    put("src/.env", "SECRET");
    await stage("src");
    expect(() => everything("out")).toThrow(); // grep finds nothing: exit code 1
    const ids = git("out", "cat-file", "--batch-all-objects", "--batch-check").split("\n").length;
    expect(ids).toBe(4); // commit, tree, two blobs: packs are compressed, so grep alone proves nothing
    expect(git("out", "config", "remote.origin.url")).toBe("https://example.com/x");
    expect(existsSync(at("out/.git/hooks"))).toBe(false);
    expect(existsSync(at("out/.git/logs"))).toBe(false);
  });

  it("runs nothing of the repository's on the host, and leaves it as it was", async () => {
    repository("src");
    put("src/.gitattributes", "* filter=evil diff=evil\n");
    for (const key of ["core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "diff.external", "core.sshCommand", "core.alternateRefsCommand", "gpg.program"]) {
      git("src", "config", key, `touch ${at("ran")}; false`);
    }
    for (const hook of ["post-index-change", "reference-transaction", "post-checkout"]) {
      put(`src/.git/hooks/${hook}`, `#!/bin/sh\ntouch ${at("ran")}\n`);
      chmodSync(at(`src/.git/hooks/${hook}`), 0o755);
    }
    const before = execFileSync("find", [at("src"), "-printf", "%p %T@ %s\n"], { encoding: "utf8" });
    await stage("src");
    expect(existsSync(at("ran"))).toBe(false);
    expect(execFileSync("find", [at("src"), "-printf", "%p %T@ %s\n"], { encoding: "utf8" })).toBe(before);
  });

  it("brings submodules and nested repositories with their own", async () => {
    repository("lib");
    repository("src");
    git("src", "submodule", "--quiet", "add", at("lib"), "sub/lib");
    git("src", "commit", "-qm", "submodule");
    put("src/sub/lib/file.txt", "changed\n");
    put("src/sub/lib/x.log");
    repository("src/nested");
    put("src/nested/new");
    put("src/nested/.env");
    git("src", "config", "submodule.sub/lib.update", "!evil");
    await stage("src");
    expect(status("out")).toBe(status("src"));
    expect(status("out/sub/lib")).toBe(status("src/sub/lib"));
    expect(lstatSync(at("out/sub/lib/.git")).isDirectory()).toBe(true);
    expect(git("out/nested", "log", "--format=%s")).toBe("first");
    expect(files("out")).toEqual([".gitignore", ".gitmodules", "file.txt", "nested/.gitignore", "nested/file.txt", "nested/new", "sub/lib/.gitignore", "sub/lib/file.txt"]);
    expect(readFileSync(at("out/.git/config"), "utf8")).not.toContain("evil");
  });

  it("lies under a path of any characters", async () => {
    repository('s:"r\\c');
    await stage('s:"r\\c');
    expect(git("out", "log", "--format=%s")).toBe("first");
  });

  it("comes from a partial clone without fetching what is missing", async () => {
    repository("origin");
    git("origin", "config", "uploadpack.allowFilter", "true");
    put("origin/file.txt", "two\n");
    git("origin", "commit", "-qam", "second");
    git(".", "clone", "-q", "--filter=blob:none", `file://${at("origin")}`, "src");
    renameSync(at("origin"), at("gone"));
    await stage("src");
    expect(status("out")).toBe(status("src"));
    expect(git("out", "log", "--format=%s")).toBe("second\nfirst");
    git("out", "fsck");
  });

  it("comes from a linked worktree, a shallow clone and one with alternates", async () => {
    repository("main");
    git("main", "commit", "-q", "--allow-empty", "-m", "second");
    git("main", "worktree", "add", "-q", "-b", "side", at("tree"));
    put("tree/new.txt");
    git("tree", "add", "new.txt");
    await stage("tree");
    expect(status("out")).toBe(status("tree"));
    expect(git("out", "rev-list", "--count", "HEAD")).toBe("2");
    for (const [name, args] of [["shallow", ["--depth", "1", `file://${at("main")}`]], ["shared", ["--shared", at("main")]]] as const) {
      git(".", "clone", "-q", ...args, name);
      rmSync(at("out"), { recursive: true });
      rmSync(at("staged"), { recursive: true });
      await stage(name);
      expect(status("out")).toBe(status(name));
      expect(git("out", "log", "--format=%s")).toBe(git(name, "log", "--format=%s"));
      expect(existsSync(at("out/.git/objects/info/alternates"))).toBe(false);
      git("out", "fsck");
    }
  });

  it("keeps a detached head, an unborn branch, a merge under way and a split index", async () => {
    const again = async () => {
      for (const name of ["out", "staged"]) rmSync(at(name), { recursive: true, force: true });
      await stage("src");
      expect(status("out")).toBe(status("src"));
    };
    repository("src");
    git("src", "checkout", "-q", "-b", "side");
    put("src/file.txt", "side\n");
    git("src", "commit", "-qam", "side");
    git("src", "checkout", "-q", "main");
    put("src/file.txt", "main\n");
    git("src", "commit", "-qam", "main");
    expect(() => git("src", "merge", "side")).toThrow();
    await again();
    expect(git("out", "rev-parse", "MERGE_HEAD")).toBe(git("src", "rev-parse", "side"));
    git("src", "merge", "--abort");
    git("src", "checkout", "-q", "--detach", "side");
    git("src", "branch", "-q", "-D", "side"); // now reached by HEAD alone
    await again();
    git("src", "update-index", "--split-index");
    put("src/more.txt");
    git("src", "add", "more.txt");
    await again();
    git("src", "checkout", "-q", "--orphan", "fresh");
    await again();
    mkdirSync(at("empty"));
    git("empty", "init", "-q", "-b", "trunk");
    rmSync(at("src"), { recursive: true });
    renameSync(at("empty"), at("src"));
    await again();
  });

  it("does not show as deleted what .dockerignore leaves out", async () => {
    repository("src");
    put("src/docs/a.md");
    git("src", "add", "-A");
    git("src", "commit", "-qm", "docs");
    put("src/docs/new.md");
    await stage("src", "docs\n.git\n");
    rmSync(at("out/docs"), { recursive: true }); // as Docker does
    expect(git("out", "status", "--porcelain")).toBe("");
    git("out", "commit", "-q", "--allow-empty", "-am", "all");
    expect(git("out", "ls-tree", "-r", "--name-only", "HEAD")).toContain("docs/a.md");
  });
});

describe("a staged directory", () => {
  it("outside any repository honours .gitignore files all the same", async () => {
    put("src/.gitignore", "*.key\nbuild/\n");
    put("src/a");
    put("src/x.key");
    put("src/build/o");
    put("src/sub/.gitignore", "!keep.key\nb\n");
    put("src/sub/keep.key");
    put("src/sub/b");
    await stage("src");
    expect(files("out")).toEqual([".gitignore", "a", "sub/.gitignore", "sub/keep.key"]);
    expect(existsSync(at("out/.git"))).toBe(false);
  });

  it("inside a repository honours the files above it, also where it is itself ignored", async () => {
    repository("repo");
    put("repo/app/a");
    put("repo/app/a.log");
    await stage("repo/app");
    expect(files("out")).toEqual(["a"]);
    rmSync(at("out"), { recursive: true });
    rmSync(at("staged"), { recursive: true });
    put("repo/ignored/app/b");
    await stage("repo/ignored/app");
    expect(files("out")).toEqual(["b"]);
  });

  it("does not reach out of the tree through a directory that became a link", async () => {
    repository("src");
    put("src/dir/id_rsa", "tracked\n");
    git("src", "add", "-A");
    git("src", "commit", "-qm", "dir");
    put("outside/id_rsa", "SECRET\n");
    rmSync(at("src/dir"), { recursive: true });
    symlinkSync("../outside", at("src/dir"));
    await stage("src");
    expect(readlinkSync(at("out/dir"))).toBe("../outside");
    expect(files("out")).not.toContain("dir/id_rsa");
    expect(status("out")).toBe(status("src"));
  });

  it("takes odd names and passes pipes and sockets over", async () => {
    repository("src");
    const odd = ["-rf", "a\nb", "*?[x]", "\\", "~", "'\"$(x)`", "ü", " lead", "trail "];
    for (const name of odd) put(`src/${name}`);
    writeFileSync(Buffer.concat([Buffer.from(at("src/latin-")), Buffer.from([0xe9])]), "x");
    mkdirSync(Buffer.concat([Buffer.from(at("src/dir-")), Buffer.from([0xff])]));
    writeFileSync(Buffer.concat([Buffer.from(at("src/dir-")), Buffer.from([0xff]), Buffer.from("/f")]), "x");
    execFileSync("mkfifo", [at("src/pipe")]);
    await stage("src");
    expect(git("out", "status", "--porcelain", "-z", "--untracked-files=all")).toBe(git("src", "status", "--porcelain", "-z", "--untracked-files=all"));
    for (const name of odd) expect(readFileSync(at("out", name), "utf8")).toBe(`src/${name}`);
    expect(existsSync(at("out/pipe"))).toBe(false);
  });

  it("says what is wrong with a broken repository", async () => {
    put("src/.git/HEAD", "nonsense");
    await expect(stage("src")).rejects.toThrow(`bottle:agent.workspace.path: "${at("src")}" holds a .git that git does not take for a repository; \`git -C "${at("src")}" status\` says why`);
  });
});
