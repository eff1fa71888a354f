// Clones and fetches through git-gate, from a real sshd and a real https server.
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gitGateRig, SERVER, type GitGateRig } from "../lib/git-gate-rig.ts";
import type { GitServer } from "../lib/git-upstream.ts";
import { ok, run, until } from "../lib/run.ts";
import { describeWith } from "../lib/parts.ts";

describeWith(["engine", "base"], "git-gate: fetch", () => {
  let rig: GitGateRig;

  const ssh = (server: GitServer, more: object = {}) => ({ url: `git@${SERVER}:org/app.git`, identityFile: "key", knownHosts: server.hostKey, ...more });
  const https = { url: `https://${SERVER}/org/docs.git`, token: { variable: "GIT_TOKEN" } };
  const all = (server: GitServer) => ({
    upstreams: [
      ssh(server),
      ssh(server, { url: `ssh://git@${SERVER}:2222/org/lib.git` }),
      https,
      { url: `https://${SERVER}/public/wiki.git`, serveStale: true },
    ],
  });

  beforeAll(async () => {
    rig = await gitGateRig(all);
    for (const path of ["org/app.git", "org/lib.git", "org/docs.git", "public/wiki.git", "org/other.git"]) await rig.server.repository(path);
  });
  afterAll(() => rig?.close());

  test.each([
    ["scp form", `git@${SERVER}:org/app.git`],
    ["scp form without .git", `git@${SERVER}:org/app`],
    ["ssh", `ssh://git@${SERVER}/org/app.git`],
    ["the same repository by https", `https://${SERVER}/org/app`],
    ["ssh on another port", `ssh://git@${SERVER}:2222/org/lib.git`],
    ["https with a token", `https://${SERVER}/org/docs.git`],
    ["the same by ssh", `git@${SERVER}:org/docs.git`],
    ["https without login", `https://${SERVER}/public/wiki`],
  ])("clone by its usual URL: %s", async (_, url) => {
    const output = await rig.work(`rm -rf c && git clone ${url} c && cat c/README && git -C c rev-parse --abbrev-ref HEAD && git -C c remote get-url origin`);
    expect(output).toMatch(/^hello\nmain\ngit:\/\/git-gate:9418\//m);
  });

  test("protocol v2, a partial and a shallow clone", async () => {
    const url = `git@${SERVER}:org/app.git`;
    expect(await rig.work(`rm -rf c && GIT_TRACE_PACKET=1 git clone ${url} c 2>&1 | grep -c 'version 2'`)).not.toBe("0\n");
    await rig.work(`rm -rf c && git clone --filter=blob:none --depth 1 ${url} c && test "$(cat c/README)" = hello && git -C c fsck`);
  });

  test("what the upstream has now is served: commits, branches come and gone, tags, another default branch", async () => {
    await rig.work(`rm -rf c && git clone -q git@${SERVER}:org/app.git c`);
    await rig.server.sh("cd org/app.git && git branch side main && git tag v1 main");
    expect(await rig.work("cd c && git fetch --prune -q --tags && git branch -r --format='%(refname)' && git tag")).toContain("refs/remotes/origin/side\nv1");
    await rig.server.sh("cd org/app.git && git branch -D side main2 2>/dev/null; git branch next main && git symbolic-ref HEAD refs/heads/next && git branch -D side; true");
    expect(await rig.work("cd c && git fetch --prune -q && git branch -r --format='%(refname)'")).not.toContain("side");
    expect(await rig.work(`rm -rf d && git clone -q git@${SERVER}:org/app.git d && git -C d branch --show-current`)).toBe("next\n");
    await rig.server.sh("cd org/app.git && git symbolic-ref HEAD refs/heads/main && git branch -D next");
  });

  test("a second clone costs the upstream no more than a look", async () => {
    const asked = async () => Number(await rig.server.sh("cat /tmp/uploads 2>/dev/null | wc -l"));
    // git-upload-pack of the upstream tells when it has sent objects.
    await ok("docker", ["exec", rig.server.container, "sh", "-c", "git config --system uploadpack.packObjectsHook /usr/local/bin/count && printf '#!/bin/sh\\necho x >> /tmp/uploads\\nexec \"$@\"\\n' > /usr/local/bin/count && chmod +x /usr/local/bin/count"]);
    await rig.server.sh("cd org/app.git && git update-ref refs/heads/new $(git -c user.name=u -c user.email=u@x commit-tree -p main -m new main^{tree})");
    await rig.work(`rm -rf c d && git clone -q git@${SERVER}:org/app.git c`);
    expect(await asked()).toBe(1);
    await rig.work(`git clone -q git@${SERVER}:org/app.git d`);
    expect(await asked()).toBe(1);
    await ok("docker", ["exec", rig.server.container, "git", "config", "--system", "--unset", "uploadpack.packObjectsHook"]);
  });

  test("another repository of the host is refused by name, and so is what is no repository at all", async () => {
    const { code, output } = await rig.agent(`git clone git@${SERVER}:org/other.git x`);
    expect(code).not.toBe(0);
    expect(output).toMatch(/remote error: git-gate: git\.bottle\.test\/org\/other is not among this bottle's git upstreams \(.*git\.bottle\.test\/org\/app.*\); a human can add it to bottle:git\.upstreams/);
    for (const path of ["health.git", "../../etc", "%2e%2e/x", "a//b", "~root", "-x"]) expect((await rig.agent(`git ls-remote 'git://git-gate/${path}'`)).code, path).not.toBe(0);
    expect((await rig.agent("git archive --remote=git://git-gate/git.bottle.test/org/app.git main | wc -c")).output).toMatch(/fatal/);
  });

  test("an unknown host key is refused, with the line to add; the line works", async () => {
    const stranger = (await ok("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(rig.folder, "stranger")]).then(() => readFileSync(join(rig.folder, "stranger.pub"), "utf8"))).split(" ").slice(0, 2).join(" ");
    for (const [keys, kind] of [[`elsewhere.example.com ${rig.server.hostKey}`, "unknown-host-key"], [stranger, "changed-host-key"]] as const) {
      await rig.configure({ upstreams: [ssh(rig.server, { knownHosts: keys })] });
      const [answer] = await rig.check();
      expect(answer).toMatchObject({ id: "app", ok: false, kind });
      const { code, output } = await rig.agent(`git ls-remote git@${SERVER}:org/app.git`);
      expect(code).not.toBe(0);
      expect(output).toContain("bottle:git.upstreams[0].knownHosts");
      if (kind === "changed-host-key") continue;
      const line = /"(git\.bottle\.test ssh-ed25519 [^"]+)"/.exec(answer!.message!)?.[1];
      expect(line).toBe(`${SERVER} ${rig.server.hostKey}`);
      expect(answer!.message).toContain((await ok("sh", ["-c", `printf '%s\\n' '${rig.server.hostKey}' | ssh-keygen -lf -`])).split(" ")[1]);
      await rig.configure({ upstreams: [ssh(rig.server, { knownHosts: line! })] });
      expect(await rig.check()).toEqual([{ id: "app", ok: true, kind: null, message: null }]);
    }
  });

  test("a key and a token that the upstream refuses, a repository that is not there, one that moved", async () => {
    copyFileSync(rig.server.strangerKey, join(rig.folder, "wrong"));
    await rig.configure({
      upstreams: [
        ssh(rig.server, { identityFile: "wrong" }),
        ssh(rig.server, { url: `git@${SERVER}:org/gone.git` }),
        { url: `https://${SERVER}/org/docs.git`, token: { secret: "wrong-token-of-the-test" } },
        { url: `https://${SERVER}/moved/wiki.git` },
        { url: "https://nowhere.bottle.test/x.git" },
      ],
    });
    const answers = await rig.check();
    expect(answers.map(({ id, kind }) => [id, kind])).toEqual([["app", "denied"], ["gone", "not-found"], ["docs", "denied"], ["wiki", "moved"], ["x", "unreachable"]]);
    answers.forEach(({ message }, index) => expect(message).toContain(index === 4 ? "nowhere.bottle.test" : `bottle:git.upstreams[${index}]`));
    const { output } = await rig.agent(`git ls-remote https://${SERVER}/org/docs.git; git ls-remote git@${SERVER}:org/app.git`);
    expect(output).not.toContain("wrong-token-of-the-test");
    expect(await rig.logs()).not.toContain("wrong-token-of-the-test");
  });

  test("an https server with a certificate of nobody's is refused", async () => {
    await ok("docker", ["exec", rig.server.container, "sh", "-c", "cp /etc/lighttpd/lighttpd.conf /root/ && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /tmp/k -out /tmp/c -days 1 -subj /CN=other 2>/dev/null && sed -i 's,^ssl.pemfile.*,ssl.pemfile = \"/tmp/c\",; s,^ssl.privkey.*,ssl.privkey = \"/tmp/k\",' /etc/lighttpd/lighttpd.conf"]);
    await ok("docker", ["restart", "--timeout", "2", rig.server.container]);
    await rig.configure({ upstreams: [https] });
    await until("the server answers again", async () => (await rig.check())[0]!.kind !== "unreachable", 20_000);
    expect((await rig.check())[0]).toMatchObject({ kind: "untrusted-certificate", message: expect.stringContaining("bottle:trust") });
    await ok("docker", ["exec", rig.server.container, "cp", "/root/lighttpd.conf", "/etc/lighttpd/lighttpd.conf"]);
    await ok("docker", ["restart", "--timeout", "2", rig.server.container]);
  });

  test("an upstream that is away: said plainly; the last known state only where the manifest says so", async () => {
    await rig.configure(all(rig.server));
    const wiki = `git://git-gate/${SERVER}/public/wiki.git`;
    await rig.work(`rm -rf c && git clone -q git@${SERVER}:org/app.git c`);
    await rig.work(`git ls-remote ${wiki}`); // its mirror is filled
    await rig.server.away();
    try {
      const started = Date.now();
      const { code, output } = await rig.agent("git -C c fetch");
      expect(code).not.toBe(0);
      expect(output).toMatch(/remote error: git-gate: .*git\.bottle\.test.*(cannot be reached|could not be reached)/);
      expect(Date.now() - started).toBeLessThan(20_000);
      expect(await rig.work(`rm -rf w && git clone -q ${wiki} w && cat w/README`)).toBe("hello\n");
      expect((await rig.agent("cd w && git checkout -qb agent/x && git push origin agent/x")).code).not.toBe(0);
    } finally {
      await rig.server.back();
    }
    await rig.work("git -C c fetch");
  });

  test("a mirror of 500 MB is cloned, within git-gate's memory", async () => {
    await rig.server.sh(
      "git init -q --bare org/big.git && cd org/big.git && git config core.compression 0 && git config core.bigFileThreshold 1m && for i in $(seq 20); do printf '100644 blob %s\\tf%s\\n' $(head -c 26214400 /dev/urandom | git hash-object -w --stdin) $i; done > /tmp/tree && " +
        "git update-ref refs/heads/main $(git -c user.name=u -c user.email=u@x commit-tree -m big $(git mktree < /tmp/tree))",
      300_000,
    );
    await rig.configure({ upstreams: [ssh(rig.server, { url: `git@${SERVER}:org/big.git` })] });
    const output = await rig.work(`rm -rf c d && git clone --bare git@${SERVER}:org/big.git c && du -sm c | cut -f1`, 300_000);
    expect(Number(output.trim().split("\n").at(-1))).toBeGreaterThan(490);
    expect(await ok("docker", ["inspect", "--format", "{{.RestartCount}} {{.State.OOMKilled}}", rig.gate])).toBe("0 false");
    await rig.work("rm -rf c");
  });

  test("git-gate goes to its upstreams and nowhere else: no address of the agent's is followed, no connection stays", async () => {
    const request = "printf '0046git-upload-pack /x.git\\0host=elsewhere.example.com:9418\\0\\0version=2\\0' | timeout 5 bash -c 'exec 3<>/dev/tcp/git-gate/9418; cat >&3; cat <&3'";
    expect((await rig.agent(request)).output).toContain("is not among this bottle's git upstreams");
    const submodule = "cd c && git -c protocol.file.allow=always submodule add git://git-gate/elsewhere.example.com/x.git m";
    await rig.work(`rm -rf c && git init -q c`);
    expect((await rig.agent(submodule)).output).toContain("is not among this bottle's git upstreams");
    const open = (await run("docker", ["exec", rig.gate, "sh", "-c", "cat /proc/net/tcp | awk '$4 == \"01\" {print $3}'"])).stdout;
    expect(open).toBe("");
  });
});
