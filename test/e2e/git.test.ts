// Git upstreams of a bottle: they come, change and go by `pulumi up`, and the agent works with them.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fetchArguments } from "../../scripts/setup/fetch-arguments.ts";
import { containers, engineObjects, execIn, type Container } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { changedResources } from "../lib/e2e-pulumi.ts";
import { gitServer, type GitServer } from "../lib/git-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, until } from "../lib/run.ts";

const SERVER = "git.bottle.test";
// In two parts, so that no scanner of this repository stumbles.
const token = `ghp_${"0Kx9vQ2mZ7rT4wY8bN3cJ6dF1gH5sL0pA2eU"}`;

describeWith(["engine", "base", "pipelock", "pulumi"], "git upstreams of a bottle", () => {
  let project: ScratchProject;
  let stack: Stack;
  let server: GitServer;
  let agent: string;
  let before: Record<string, Container>;

  const push = { branches: ["agent/**"] };
  const app = () => ({ url: `git@${SERVER}:org/app.git`, identityFile: "keys/app", knownHosts: server.hostKey, push });
  const docs = { url: `https://${SERVER}/org/docs.git`, token: { variable: "E2E_GIT_TOKEN" } };
  const manifest = (git?: Record<string, unknown>) => ({
    agent: { preset: "claude", claude: { login: "none" } },
    network: { hosts: ["docs.bottle.test"] },
    ...(server && { trust: project.trust(server.ca) }),
    ...(git && { git: { author: { name: "Implementer", email: "implementer@bottle.test" }, ...git } }),
  });
  const env = () => ({ E2E_GIT_TOKEN: server.token });
  /** What `up` changed, and which containers are others or were started anew. */
  async function change(git: Record<string, unknown>) {
    before = await containers(stack.identity.instance);
    stack.write(manifest(git));
    const resources = changedResources((await stack.up({ env: env(), timeout: 900_000 })).output);
    const now = await containers(stack.identity.instance);
    const touched = Object.keys({ ...before, ...now }).filter((name) => before[name]?.id !== now[name]?.id || before[name]?.startedAt !== now[name]?.startedAt);
    return { resources, touched };
  }
  const inside = async (script: string) => {
    const { code, stdout } = await execIn(agent, `{ ${script}\n} 2>&1`);
    return { code, output: stdout };
  };
  const work = async (script: string) => {
    const { code, output } = await inside(`set -e; ${script}`);
    expect(code, output).toBe(0);
    return output;
  };

  beforeAll(async () => {
    project = await scratchProject();
    stack = await project.stack("git", manifest());
    await stack.up({ timeout: 900_000 });
    agent = (await containers(stack.identity.instance))["agent"]!.name;
    server = await gitServer(`${stack.identity.composeProject}-egress`, SERVER);
    for (const path of ["org/app.git", "org/docs.git", "org/lib.git"]) await server.repository(path);
    mkdirSync(project.path("keys"));
    copyFileSync(server.key, project.path("keys/app"));
    stack.write(manifest()); // the server's authority is trusted from here on
    await stack.up();
  });
  afterAll(async () => {
    await server?.remove();
    await project?.dispose();
  });

  test("a key that is missing is told in preview and stops up before its first change", async () => {
    stack.write(manifest({ upstreams: [{ ...app(), identityFile: "keys/none" }] }));
    const fault = /bottle:git\.upstreams\[0\]\.identityFile: "keys\/none" cannot be read/;
    const preview = await stack.pulumiWith({ env: env() }, "preview");
    expect(preview.code).toBe(0);
    expect(preview.output).toMatch(fault);
    const up = await stack.pulumiWith({ env: env() }, "up", "--yes", "--skip-preview");
    expect(up.code).not.toBe(0);
    expect(up.output).toMatch(fault);
  });

  test("the first upstreams add git-gate; the agent, pipelock and the networks are not touched", async () => {
    const { touched } = await change({ upstreams: [app(), docs] });
    expect(touched).toEqual(["git-gate"]);
    const again = await stack.pulumiWith({ env: env() }, "preview", "--expect-no-changes");
    expect(again.code, again.output).toBe(0);
  });

  test("clone, commit and push under the usual URLs, as the author of the manifest", async () => {
    await work(`cd ~ && git clone -q git@${SERVER}:org/app.git && cd app && git checkout -qb agent/one && echo 1 > one && git add one && git commit -qm one && git push origin agent/one`);
    expect(await server.sh("git -C org/app.git log -1 --format='%an <%ae> %s' agent/one")).toBe("Implementer <implementer@bottle.test> one");
    await work(`cd ~ && git clone -q https://${SERVER}/org/docs && git clone -q ssh://git@${SERVER}/org/docs.git docs-too`);
  });

  test("a secret in an intermediate commit is held back; terminal, log and evidence tell where, not what", async () => {
    const { code, output } = await inside(`cd ~/app && git checkout -qb agent/leak && echo 'key = "${token}"' > settings && git add . && git commit -qm leak && git rm -q settings && git commit -qm clean && git push origin agent/leak`);
    expect(code).not.toBe(0);
    expect(output).toMatch(/settings/);
    const log = (await ok("docker", ["logs", before["git-gate"]?.name ?? `${stack.identity.composeProject}-git-gate-1`])).toString();
    const evidence = readFileSync(join(stack.state, "evidence/git-gate/pushes.jsonl"), "utf8");
    for (const text of [output, log, evidence]) expect(text).not.toContain(token.slice(6, 30));
    expect(evidence).toMatch(/"outcome": ?"refused".*"file": ?"settings"/);
    expect(await server.sh("git -C org/app.git for-each-ref --format='%(refname)'")).not.toContain("leak");
  });

  test("keys and tokens: in git-gate's folder in memory alone", async () => {
    const key = readFileSync(server.key, "utf8").split("\n")[1]!;
    const secrets = [key, server.token];
    const exported = (await stack.pulumiWith({ env: env() }, "stack", "export")).output;
    const inspected = (await Promise.all((await engineObjects(stack.identity.instance)).filter((each) => each.startsWith("container")).map((each) => ok("docker", ["inspect", each.split(" ")[1]!])))).join();
    const agentEnvironment = (await execIn(agent, "env; cat ~/.gitconfig ~/.config/bottle/gitconfig; cat /proc/[0-9]*/environ 2>/dev/null")).stdout;
    const gate = `${stack.identity.composeProject}-git-gate-1`;
    const processes = (await execIn(gate, "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null")).stdout;
    for (const secret of secrets) for (const [where, text] of Object.entries({ exported, inspected, agentEnvironment, processes })) expect(text.includes(secret), where).toBe(false);
    expect((await ok("sh", ["-c", `grep -rlF -e '${server.token}' -e '${key}' '${stack.state}' || true`]))).toBe("");
    expect((await inside("command -v ssh ssh-keygen; ls -A ~/.ssh 2>/dev/null")).output).toBe("");
    const [folder] = stack.memoryFolders();
    expect(await ok("stat", ["--format", "%a", join(folder!, "git-gate"), join(folder!, "git-gate/key.app"), join(folder!, "git-gate/E2E_GIT_TOKEN")])).toBe("700\n600\n600");
    const tasks = await execIn(gate, "id -u; touch /x 2>&1; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status");
    expect(tasks.stdout).toMatch(/^1000\n.*Read-only file system\nCapEff:\s0{16}\nNoNewPrivs:\s1\n$/);
  });

  test("another upstream, other rules: git-gate takes them without a restart", async () => {
    const { touched } = await change({ upstreams: [{ ...app(), push: { branches: ["agent/**", "main"] } }, docs, { ...app(), url: `git@${SERVER}:org/lib.git` }] });
    expect(touched).toEqual([]);
    await work(`cd ~ && git clone -q git@${SERVER}:org/lib.git && cd app && git checkout -q main && echo m > m && git add m && git commit -qm m && git push -q origin main`);
  });

  test("another key: used by the next up, without a restart", async () => {
    await ok("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", project.path("keys/new")]);
    writeFileSync(join(dirname(server.key), "authorized_keys"), readFileSync(project.path("keys/new.pub"))); // in place: it is mounted
    expect((await inside("cd ~/app && git fetch")).code).not.toBe(0);
    copyFileSync(project.path("keys/new"), project.path("keys/app"));
    const { touched } = await change({ upstreams: [{ ...app(), push: { branches: ["agent/**", "main"] } }, docs, { ...app(), url: `git@${SERVER}:org/lib.git` }] });
    expect(touched).toEqual([]);
    await work("cd ~/app && git fetch");
  });

  test("a host key that is not known fails the up with the line to add, and the bottle stays up", async () => {
    stack.write(manifest({ upstreams: [{ ...app(), knownHosts: `elsewhere.bottle.test ${server.hostKey}` }] }));
    const { code, output } = await stack.pulumiWith({ env: env() }, "up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toContain("bottle:git.upstreams[0].knownHosts");
    expect(output).toContain(`${SERVER} ${server.hostKey}`);
    expect((await containers(stack.identity.instance))["agent"]!.running).toBe(true);
    await change({ upstreams: [app(), docs] });
    await work("cd ~/app && git fetch");
  });

  test("an upstream that is away is a warning of up, not a failure", async () => {
    await server.away();
    try {
      stack.write(manifest({ upstreams: [{ ...app(), serveStale: true }, docs] }));
      const { output } = await stack.up({ env: env() });
      expect(output).toMatch(/warning: .*git\.bottle\.test/);
      await work(`cd ~ && rm -rf again && git clone -q git@${SERVER}:org/app.git again`);
    } finally {
      await server.back();
    }
  });

  test("the memory folder gone, as after a reboot: pushes and fetches fail closed, the next up mends it", async () => {
    const [folder] = stack.memoryFolders();
    await ok("rm", ["-rf", folder!]);
    const gate = `${stack.identity.composeProject}-git-gate-1`;
    await ok("docker", ["restart", "--timeout", "2", gate]).catch(() => "");
    expect((await inside("cd ~/app && timeout 5 git fetch")).code).not.toBe(0);
    const { touched } = await change({ upstreams: [{ ...app(), serveStale: true }, docs] });
    expect(touched).toEqual(["git-gate"]);
    await work("cd ~/app && git fetch");
  });

  test("git-gate killed: the agent has no way around it, and it comes back by itself", async () => {
    const gate = `${stack.identity.composeProject}-git-gate-1`;
    await ok("docker", ["exec", gate, "sh", "-c", "kill -9 -1"]).catch(() => "");
    await until("git-gate serves again", async () => (await inside("cd ~/app && git fetch")).code === 0, 20_000);
  });

  test("the agent's branches come to the host without an upstream, and without its hooks", async () => {
    await work("cd /workspace && git init -q -b main && echo w > w && git add w && git commit -qm w && git checkout -qb topic && git commit -q --allow-empty -m t && printf '#!/bin/sh\\ntouch /tmp/ran\\n' > .git/hooks/post-upload && chmod +x .git/hooks/post-upload");
    const clone = project.path("host");
    await ok("git", ["init", "-q", clone]);
    const outputs = JSON.parse((await stack.pulumiWith({ env: env() }, "stack", "output", "--json")).stdout) as { attach: string; agentContainer: string };
    await ok("git", ["-C", clone, ...fetchArguments(outputs, "git", [])]);
    expect(await ok("git", ["-C", clone, "log", "--format=%s", "bottle-git/topic"])).toBe("t\nw");
    await ok("git", ["-C", clone, ...fetchArguments(outputs, "git", ["main"])]);
    expect(await ok("git", ["-C", clone, "for-each-ref", "--format=%(refname)"])).toBe("refs/remotes/bottle-git/main\nrefs/remotes/bottle-git/topic");
  });

  test("without upstreams git-gate goes, and the agent stays; destroy leaves evidence alone", async () => {
    const { touched } = await change({});
    expect(touched).toEqual(["git-gate"]);
    await change({ upstreams: [app()] });
    await server.remove(); // a stranger on the bottle's network
    await stack.destroy({ env: env() });
    expect(await stack.leftovers()).toEqual([]);
    expect(existsSync(join(stack.state, "evidence/git-gate/pushes.jsonl"))).toBe(true);
    expect(existsSync(join(stack.state, "git-gate"))).toBe(false);
  });
});
