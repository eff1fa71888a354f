// What `pulumi destroy` saves, by the very script that is kept in the state, run by sh alone.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderSaveWork, workspaceLabels } from "../../components/agent/save-work.ts";
import { identify } from "../../components/identity.ts";
import { BASE_IMAGE } from "../../components/manifest/schema.ts";
import { shellQuote } from "../../components/script.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";
import { claudeImage, inside, rig, run, type Rig } from "./agent-rig.ts";

describeWith(["engine", "base"], "saving the agent's work", () => {
  let agent: Rig;
  let image: string;
  const at = (...parts: string[]) => join(agent.folder, ...parts);
  const put = (path: string, content = path) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), content);
  };
  const git = (directory: string, ...args: string[]) => execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@x", ...args], { cwd: directory, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trimEnd();
  const configured = "git config user.name agent; git config user.email agent@x";

  /** A bottle's agent with its workspace seeded from a repository with uncommitted changes. */
  async function bottle(seed?: string, base = image) {
    const identity = identify("test", "test", "bottle", agent.owner + Math.random());
    const workspace = await agent.workspace(base, seed);
    const volume = await agent.volume({ "bottle.instance": identity.instance, ...workspaceLabels });
    const container = await agent.start(workspace, { volumes: { "/workspace": volume, "/home/agent": await agent.volume() } });
    const state = mkdtempSync(at("state-"));
    const save = async () => {
      const script = `limited() { timeout "$@"; }\n` + renderSaveWork({ identity, image: workspace, uid: 1000, gid: 1000 });
      const result = await run("sh", ["-c", `set -u\nstate=${shellQuote(state)}\n${script}`], { env: { PATH: process.env["PATH"] }, cwd: "/", timeout: 150_000 });
      return { ...result, files: readdirSync(state).sort() };
    };
    return { container, workspace, volume, state, save };
  }
  const seeded = () => {
    const name = `seed-${readdirSync(agent.folder).length}`;
    put(`${name}/a.txt`, "one\n");
    put(`${name}/.gitignore`, "ignored\n");
    git(at(name), "init", "-q", "-b", "main");
    git(at(name), "add", "-A");
    git(at(name), "commit", "-qm", "seeded");
    put(`${name}/a.txt`, "uncommitted at seeding\n");
    put(`${name}/new-at-seeding.txt`);
    return at(name);
  };
  beforeAll(async () => {
    agent = rig();
    image = await claudeImage();
  });
  afterAll(() => agent?.close());

  test("saves nothing where the agent did nothing, though the seed was not clean", async () => {
    const { container, save } = await bottle(seeded());
    await inside(container, "git status; touch a.txt; echo x > ignored");
    expect(await save()).toMatchObject({ code: 0, stderr: "", files: [] });
  });

  test.each(["running", "stopped", "gone"])("restores commits, branches, stashes and uncommitted changes from an agent that is %s", async (how) => {
    const source = seeded();
    const { container, state, save } = await bottle(source);
    await inside(container, `${configured}; git commit -qam work; git checkout -qb side; echo side > side.txt; git add side.txt; git commit -qm side; echo stashed > a.txt; git stash -q; git checkout -q main; echo later > a.txt; echo new > 'ü new'; git add -N 'ü new'; echo x > ignored`);
    const before = await inside(container, "export GIT_OPTIONAL_LOCKS=0; git status --porcelain; git for-each-ref; find .git -type f -printf '%p %T@\\n' | sort");
    if (how !== "running") await ok("docker", ["stop", container]);
    if (how === "gone") await ok("docker", ["rm", container]);
    const { code, files } = await save();
    expect({ code, files }).toEqual({ code: 0, files: [expect.stringMatching(/^work-\d{8}T\d{6}Z\.bundle$/)] });
    expect(statSync(join(state, files[0]!)).mode & 0o777).toBe(0o600);
    if (how === "running") expect(await inside(container, "export GIT_OPTIONAL_LOCKS=0; git status --porcelain; git for-each-ref; find .git -type f -printf '%p %T@\\n' | sort")).toBe(before);

    git(source, "fetch", "-q", join(state, files[0]!), "refs/heads/*:refs/heads/saved/*");
    expect(git(source, "for-each-ref", "--format=%(refname:short)", "refs/heads/saved")).toBe("saved/bottle/stash-1\nsaved/bottle/uncommitted\nsaved/main\nsaved/side");
    expect(git(source, "log", "--format=%s", "saved/main")).toBe("work\nseeded");
    expect(git(source, "show", "saved/side:side.txt")).toBe("side");
    expect(git(source, "show", "saved/bottle/stash-1:a.txt")).toBe("stashed");
    expect(git(source, "-c", "core.quotePath=false", "show", "--format=%P", "--name-only", "saved/bottle/uncommitted").split("\n").slice(1)).toEqual(["", "a.txt", "new-at-seeding.txt", "ü new"]);
    expect(git(source, "ls-tree", "-r", "--name-only", "saved/bottle/uncommitted")).not.toContain("ignored");
  });

  test("does not save again what was pushed", async () => {
    const { container, save } = await bottle(seeded());
    await inside(container, `${configured}; git checkout -q -- .; rm new-at-seeding.txt; git commit -q --allow-empty -m pushed; git update-ref refs/remotes/origin/main HEAD`);
    expect(await save()).toMatchObject({ code: 0, files: [] });
    await inside(container, "git checkout -q --detach; git commit -q --allow-empty -m loose");
    expect(await save()).toMatchObject({ code: 0, files: [expect.stringMatching(/\.bundle$/)] });
  });

  test("saves a repository that the agent made, in the workspace or one folder down", async () => {
    const { container, state, save } = await bottle();
    await inside(container, `git init -q -b main .; ${configured}; echo a > a; git add a; git commit -qm own; mkdir sub; cd sub; git init -q -b main; ${configured}; echo b > b; git add b; git commit -qm nested; echo more > c`);
    const { files } = await save();
    expect(files).toEqual([expect.stringMatching(/^work-.*\.tar\.gz$/)]);
    execFileSync("tar", ["-xzf", join(state, files[0]!), "-C", state]);
    git(state, "clone", "-q", "-b", "main", join(state, "workspace.bundle"), "one");
    expect(git(join(state, "one"), "log", "--format=%s")).toBe("own");
    git(state, "clone", "-q", "-b", "bottle/uncommitted", join(state, "sub.bundle"), "two");
    expect(git(join(state, "two"), "log", "--format=%s")).toBe("Uncommitted work, saved by pulumi destroy\nnested");
  });

  test("runs none of the workspace's programs outside its container, and saves in spite of them", async () => {
    const { container, state, save } = await bottle(seeded());
    const evil = "sh -c \"touch /tmp/bt-agent-ran /home/agent/ran /volume/ran; false\"";
    await inside(container, `${configured}; echo '* filter=x diff=x' > .gitattributes; for k in core.fsmonitor filter.x.clean filter.x.process core.sshCommand gpg.program diff.external uploadpack.packObjectsHook core.alternateRefsCommand; do git config $k '${evil}'; done; mkdir -p .git/hooks; for h in post-index-change reference-transaction pre-commit; do printf '#!/bin/sh\\n%s\\n' '${evil}' > .git/hooks/$h; chmod +x .git/hooks/$h; done; echo work > work.txt`);
    const { code, files, stderr } = await save();
    expect({ code, files }, stderr).toEqual({ code: 0, files: [expect.stringMatching(/\.bundle$/)] });
    expect(execFileSync("git", ["bundle", "list-heads", join(state, files[0]!)], { encoding: "utf8" })).toContain("refs/heads/bottle/uncommitted");
    expect(() => statSync("/tmp/bt-agent-ran")).toThrow();
    expect(await inside(container, "ls -A /workspace /home/agent | grep -c ran || true")).toBe("0");
  });

  test("saves the files where there is no git, and only where they changed", async () => {
    put("plain/a.txt", "a");
    const { container, state, save } = await bottle(at("plain"), BASE_IMAGE);
    expect(await save()).toMatchObject({ code: 0, files: [] });
    await inside(container, "echo b > b.txt");
    const { files } = await save();
    expect(files).toEqual([expect.stringMatching(/\.tar\.gz$/)]);
    execFileSync("tar", ["-xzf", join(state, files[0]!), "-C", state]);
    expect(execFileSync("tar", ["-tf", join(state, "files.tar")], { encoding: "utf8" }).split("\n").sort()).toEqual(["", "./", "./a.txt", "./b.txt"]);
  });

  test("saves the files where the repository is broken, and never blocks", async () => {
    const { container, state, save } = await bottle(seeded());
    await inside(container, "echo nonsense > .git/HEAD; echo precious > p");
    const { code, files } = await save();
    expect({ code, files }).toEqual({ code: 0, files: [expect.stringMatching(/\.tar\.gz$/)] });
    execFileSync("tar", ["-xzf", join(state, files[0]!), "-C", state]);
    expect(execFileSync("tar", ["-xOf", join(state, "workspace.tar"), "./p"], { encoding: "utf8" })).toBe("precious\n");
    // No image, no volume: nothing to do, and no failure.
    await ok("docker", ["rm", "--force", container]);
    const other = await bottle();
    await ok("docker", ["rm", "--force", other.container]);
    await ok("docker", ["rmi", "--force", other.workspace]);
    expect(await other.save()).toMatchObject({ code: 0, files: [], stderr: expect.stringContaining(`the work in volume ${other.volume} could not be saved in full`) });
  });
});
