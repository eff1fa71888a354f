// Pushes through git-gate to a real sshd and a real https server: what goes through, what is held back and how it is told.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { gitGateRig, SERVER, type GitGateRig } from "../lib/git-gate-rig.ts";
import type { GitServer } from "../lib/git-upstream.ts";
import { ok } from "../lib/run.ts";
import { describeWith } from "../lib/parts.ts";

/** Of the form that gitleaks knows a GitHub token by; made here, so that no scanner of this repository stumbles. */
const secret = () => `ghp_${[...randomBytes(36)].map((byte) => "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[byte % 62]).join("")}`;

describeWith(["engine", "base"], "git-gate: push", () => {
  let rig: GitGateRig;
  let main: string;
  const push = { branches: ["agent/**", "main"], tags: ["v*"] };
  const upstream = (server: GitServer, more: object = {}) => ({ url: `git@${SERVER}:org/app.git`, identityFile: "key", knownHosts: server.hostKey, push, ...more });
  const onUpstream = () => rig.server.sh("git -C org/app.git for-each-ref --format='%(objectname) %(refname)'");
  const last = () => rig.evidence().at(-1)!;

  beforeAll(async () => {
    rig = await gitGateRig((server) => ({ upstreams: [upstream(server)] }));
    await rig.work("git config --global user.name agent && git config --global user.email agent@bottle.invalid && git config --global advice.detachedHead false");
  });
  afterAll(() => rig?.close());
  beforeEach(async () => {
    await rig.server.sh("rm -rf org/app.git");
    await rig.server.repository("org/app.git");
    main = await rig.server.sh("git -C org/app.git rev-parse main");
    await rig.work(`rm -rf /work/c && git clone -q git@${SERVER}:org/app.git /work/c`);
  });
  const commit = (file: string, content: string, message = file) => `printf '%s\\n' '${content}' > ${file} && git add ${file} && git commit -qm '${message}'`;
  const inClone = (script: string) => rig.agent(`cd /work/c && set -e; ${script}`);

  test("a clean push is at the upstream when git says so", async () => {
    await rig.work(`cd /work/c && git checkout -qb agent/x && ${commit("a", "one")} && git tag v1 && git push origin agent/x v1`);
    const head = (await rig.work("git -C /work/c rev-parse HEAD")).trim();
    expect(await onUpstream()).toBe(`${head} refs/heads/agent/x\n${main} refs/heads/main\n${head} refs/tags/v1`);
    expect(last()).toMatchObject({ event: "push", upstream: "app", outcome: "accepted", commits: 1 });
    expect(await rig.work("cd /work/c && git fetch -q && git status -sb && git push origin agent/x")).toContain("Everything up-to-date");
  });

  test("over https with a token", async () => {
    await rig.configure({ upstreams: [{ url: `https://${SERVER}/org/app.git`, token: { variable: "GIT_TOKEN" }, push }] });
    try {
      await rig.work(`cd /work/c && git checkout -qb agent/h && ${commit("a", "one")} && head -c 3000000 /dev/urandom > big && git add big && git commit -qm big && git push https://${SERVER}/org/app.git agent/h`);
      expect(await onUpstream()).toContain("refs/heads/agent/h");
    } finally {
      await rig.configure({ upstreams: [upstream(rig.server)] });
    }
  });

  describe("a secret", () => {
    const refused = async (script: string, token: string, rule: RegExp = /github-pat/) => {
      const before = await onUpstream();
      const { code, output } = await inClone(script);
      expect(code, output).not.toBe(0);
      expect(output).toMatch(rule);
      // git itself repeats the names that it was given.
      const told = output.split("\n").filter((line) => line.startsWith("remote: ")).join("\n");
      expect(told).not.toBe("");
      expect(told).not.toContain(token.slice(4, 24));
      expect(await onUpstream()).toBe(before);
      const line = last();
      expect(line).toMatchObject({ event: "push", outcome: "refused" });
      for (const text of [JSON.stringify(line), await rig.logs()]) expect(text).not.toContain(token.slice(4, 24));
      return { output, line };
    };

    test("in a commit in the middle refuses the push as a whole, and tells rule, file, line and commit", async () => {
      const token = secret();
      const { output, line } = await refused(`git checkout -qb agent/x; ${commit("a", "clean")}; ${commit("config.py", `token = "${token}"`)}; git rev-parse HEAD; ${commit("config.py", "token = os.environ")}; git push origin agent/x main`, token);
      const sha = output.split("\n")[0]!;
      expect(output).toContain("config.py");
      expect(output).toContain(sha.slice(0, 12));
      expect(line["findings"]).toEqual([expect.objectContaining({ rule: "github-pat", file: "config.py", line: 1, commit: expect.stringContaining(sha.slice(0, 12)) })]);
    });

    test.each<[string, (token: string) => string]>([
      ["on a new branch, beside a clean one", (t) => `git checkout -qb agent/ok; ${commit("a", "a")}; git checkout -qb agent/bad; ${commit("b", t)}; git push origin agent/ok agent/bad`],
      ["behind a tag alone", (t) => `git checkout -q --detach; ${commit("b", t)}; git tag v2; git push origin v2`],
      ["in an annotated tag's message", (t) => `git tag -a v3 -m '${t}'; git push origin v3`],
      ["in a commit's message", (t) => `git checkout -qb agent/m; ${commit("a", "a", t)}; git push origin agent/m`],
      ["in a branch's name", (t) => `git push origin main:refs/heads/agent/${t}`],
      ["in a file's name", (t) => `git checkout -qb agent/n; ${commit(t, "a")}; git push origin agent/n`],
      ["in a merge itself", (t) => `git checkout -qb agent/s; ${commit("s", "s")}; git checkout -q main; ${commit("m", "m")}; git merge -q --no-commit agent/s; echo '${t}' > evil; git add evil; git commit -qm merge; git push origin main`],
      ["in a merge of three", (t) => `for b in 1 2; do git checkout -qb agent/$b main; echo $b > f$b; git add .; git commit -qm $b; done; git checkout -q main; git merge -q agent/1 agent/2 -m octopus; echo '${t}' > evil; git add evil; git commit -q --amend --no-edit; git push origin main`],
      ["in a file that git takes for binary", (t) => `git checkout -qb agent/b; printf '\\0\\0${t}\\n' > blob; git add blob; git commit -qm b; git push origin agent/b`],
      ["in a file without diff by attributes", (t) => `git checkout -qb agent/a; echo '* -diff -text binary' > .gitattributes; echo '${t}' > a; git add .; git commit -qm a; git push origin agent/a`],
      ["with a mark that asks to look away", (t) => `git checkout -qb agent/g; ${commit("a", `${t} # gitleaks:allow`)}; printf '[allowlist]\\npaths = [\"a\"]\\n' > .gitleaks.toml; git add .; git commit -qm x; git push origin agent/g`],
      ["in a picture's name", (t) => `git checkout -qb agent/p; ${commit("logo.png", t)}; git push origin agent/p`],
      ["in a rewritten commit that the upstream never saw", (t) => `git checkout -qb agent/r; ${commit("a", t)}; git commit -q --amend -m again; ${commit("a", "clean")}; git push origin agent/r`],
    ])("%s", async (_, script) => {
      const token = secret();
      await refused(script(token), token);
    });

    test("that the upstream has already refuses nothing: neither moved nor taken out", async () => {
      const token = secret();
      await rig.server.sh(`t=$(mktemp -d) && git clone -q org/app.git $t/w && cd $t/w && printf '${token}\\na\\nb\\nc\\nd\\ne\\nf\\n' > old && git add old && git -c user.name=u -c user.email=u@x commit -qm old && git push -q origin main`);
      await rig.work("cd /work/c && git pull -q && git checkout -qb agent/old && git mv old new && git commit -qm moved && echo g >> new && git commit -qam more && git rm -q new && git commit -qm gone && git push origin agent/old");
    });

    test("can be allowed by a human's own configuration, by path", async () => {
      writeFileSync(join(rig.folder, "rules.toml"), "[extend]\nuseDefault = true\n[[allowlists]]\npaths = ['''^fixtures/''']\n");
      await rig.configure({ upstreams: [upstream(rig.server)], gitleaks: "rules.toml" });
      try {
        await rig.work(`cd /work/c && git checkout -qb agent/f && mkdir fixtures && ${commit("fixtures/key", secret())} && git push origin agent/f`);
        const token = secret();
        await refused(`git checkout -qb agent/e; ${commit("elsewhere", token)}; git push origin agent/e`, token);
      } finally {
        await rig.configure({ upstreams: [upstream(rig.server)] });
      }
    });
  });

  describe("rules", () => {
    test.each<[string, string, RegExp]>([
      ["a branch that is not named", `git checkout -qb other; ${commit("a", "a")}; git push origin other`, /other.*bottle:git\.upstreams\[0\]\.push\.branches/s],
      ["a tag that is not named", "git tag x1; git push origin x1", /x1.*bottle:git\.upstreams\[0\]\.push\.tags/s],
      ["a rewritten branch", `${commit("a", "a")}; git push -q origin main; git reset -q --hard HEAD~1; ${commit("b", "b")}; git push --force origin main`, /bottle:git\.upstreams\[0\]\.push\.force/],
      ["a moved tag", `git tag v1; git push -q origin v1; ${commit("a", "a")}; git tag -f v1; git push --force origin v1`, /bottle:git\.upstreams\[0\]\.push\.force/],
      ["a delete", "git push -q origin main:agent/d; git push origin :agent/d", /bottle:git\.upstreams\[0\]\.push\.delete/],
      ["another kind of ref", "git push origin main:refs/notes/x", /refs\/notes\/x/],
      ["a tag of a file", "git tag v9 $(git rev-parse HEAD:README); git push origin v9", /v9/],
    ])("%s is refused, with the key that would allow it", async (_, script, told) => {
      const { code, output } = await inClone(script);
      expect(code, output).not.toBe(0);
      expect(output).toMatch(told);
      expect(last()).toMatchObject({ event: "push", outcome: "refused" });
    });

    test("force and delete work where they are allowed", async () => {
      await rig.configure({ upstreams: [upstream(rig.server, { push: { ...push, force: true, delete: true } })] });
      try {
        await rig.work(`cd /work/c && git checkout -qb agent/f && ${commit("a", "a")} && git push -q origin agent/f && git commit -q --amend -m other && git push --force-with-lease origin agent/f`);
        expect(await onUpstream()).toContain((await rig.work("git -C /work/c rev-parse HEAD")).trim());
        await rig.work("cd /work/c && git push origin :agent/f");
        expect(await onUpstream()).not.toContain("agent/f");
      } finally {
        await rig.configure({ upstreams: [upstream(rig.server)] });
      }
    });

    test("a read-only upstream says so before anything is sent", async () => {
      await rig.configure({ upstreams: [{ ...upstream(rig.server), push: undefined }] });
      try {
        const { code, output } = await inClone(`${commit("a", "a")}; git push origin main`);
        expect(code).not.toBe(0);
        expect(output).toMatch(/remote error: git-gate: app is read-only here; a human can allow pushes with bottle:git\.upstreams\[0\]\.push/);
      } finally {
        await rig.configure({ upstreams: [upstream(rig.server)] });
      }
    });

    test("limits: a file, a push, the number of refs", async () => {
      await rig.configure({ upstreams: [upstream(rig.server)], limits: { file: "64k", pack: "200k", refs: 3 } });
      try {
        const refused = async (script: string, told: RegExp) => {
          const { code, output } = await inClone(script);
          expect(code, output).not.toBe(0);
          expect(output).toMatch(told);
        };
        await refused("git checkout -qb agent/1; head -c 100000 /dev/urandom > f; git add f; git commit -qm f; git push origin agent/1", /f.*bottle:git\.limits\.file|bottle:git\.limits\.file/s);
        await refused("git checkout -qb agent/2 main; for i in 1 2 3 4 5 6 7 8; do head -c 60000 /dev/urandom > f$i; done; git add .; git commit -qm f; git push origin agent/2", /pack exceeds maximum allowed size|bottle:git\.limits\.pack/);
        await refused("git push origin main:agent/3 main:agent/4 main:agent/5 main:agent/6", /bottle:git\.limits\.refs/);
      } finally {
        await rig.configure({ upstreams: [upstream(rig.server)] });
      }
    });
  });

  test("the upstream's own refusal comes word for word, and nothing of the push stays", async () => {
    await rig.server.sh(`printf '#!/bin/sh\\necho "main is protected by the house rules"\\nwhile read o n r; do [ $r != refs/heads/main ] || exit 1; done\\n' > org/app.git/hooks/pre-receive && chmod +x org/app.git/hooks/pre-receive`);
    const { code, output } = await inClone(`${commit("a", "a")}; git push origin main main:agent/too`);
    expect(code).not.toBe(0);
    expect(output).toMatch(/^remote: main is protected by the house rules/m);
    expect(output).toMatch(/! \[remote rejected\] main -> main \(pre-receive hook declined\)/);
    expect(await onUpstream()).toBe(`${main} refs/heads/main`);
    expect(await rig.work("cd /work/c && git ls-remote origin")).not.toContain("agent/too");
    expect(last()).toMatchObject({ event: "push", outcome: "failed" });
  });

  test("an upstream that moved on is told as git tells it", async () => {
    await rig.work(`cd /work/c && ${commit("mine", "mine")}`);
    await rig.server.sh("cd org/app.git && git update-ref refs/heads/main $(git -c user.name=u -c user.email=u@x commit-tree -p main -m theirs main^{tree})");
    const { output } = await inClone("git push origin main");
    expect(output).toMatch(/\[rejected\].*fetch first/);
    await rig.work("cd /work/c && git pull -q --rebase && git push origin main");
  });

  test("an upstream that is away refuses the push, and says so", async () => {
    await rig.work(`cd /work/c && ${commit("mine", "mine")}`);
    await rig.server.away();
    const { code, output } = await inClone("git push origin main");
    await rig.server.back();
    expect(code).not.toBe(0);
    expect(output).toMatch(/git\.bottle\.test/);
    await rig.work("cd /work/c && git push origin main");
  });

  test("commits are signed by a key that the agent does not have", async () => {
    await ok("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", join(rig.folder, "signing")]);
    await rig.configure({ upstreams: [upstream(rig.server)], signing: { identityFile: "signing" } });
    await rig.work("git config --global user.name agent && git config --global user.email agent@bottle.invalid");
    await rig.work(`cd /work/c && git checkout -qb agent/signed && ${commit("a", "a")} && git tag -a v7 -m v7 && git push -q origin agent/signed v7 && git cat-file commit HEAD | grep -c 'BEGIN SSH SIGNATURE'`);
    const publicKey = await ok("cat", [join(rig.folder, "signing.pub")]);
    const verified = await rig.server.sh(`cd org/app.git && echo 'agent@bottle.invalid ${publicKey}' > /tmp/signers && git -c gpg.ssh.allowedSignersFile=/tmp/signers verify-commit agent/signed 2>&1 && git -c gpg.ssh.allowedSignersFile=/tmp/signers verify-tag v7 2>&1`);
    expect(verified.match(/Good "git" signature for agent@bottle\.invalid/g)).toHaveLength(2);
    // Nothing but what git signs is signed, and only for git.
    const other = await rig.agent("curl -s -o /dev/null -w '%{http_code} ' --noproxy '*' --data-binary 'hello' http://git-gate:9419/sign; curl -s -w '%{http_code}' --noproxy '*' http://git-gate:9419/sign -o /dev/null");
    expect(other.output).toMatch(/^400 40[45]/);
    expect((await rig.agent("find / -xdev -type f -newer /etc/hostname 2>/dev/null | xargs grep -l 'PRIVATE KEY' 2>/dev/null")).output).toBe("");
  });

  test("git-gate stops within a second, with a connection open", async () => {
    void rig.agent("timeout 5 bash -c 'exec 3<>/dev/tcp/git-gate/9418; sleep 5'");
    const started = Date.now();
    await ok("docker", ["stop", "--time", "10", rig.gate]);
    expect(Date.now() - started).toBeLessThan(1_500);
    await ok("docker", ["start", rig.gate]);
  });
});
