// Git asked for by the agent: a bottle without git-gate gets it by an approval, and a push that was refused passes.
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerOf, bottle } from "../lib/e2e-cli.ts";
import { containers, execIn, type Container } from "../lib/e2e-engine.ts";
import { agentClient, type AgentClient } from "../lib/e2e-mcp.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { gitServer, type GitServer } from "../lib/git-upstream.ts";
import { describeWith } from "../lib/parts.ts";

const SERVER = "git.bottle.test";
// In two parts, so that no scanner of this repository stumbles.
const SECRET = `ghp_${"0Kx9vQ2mZ7rT4wY8bN3cJ6dF1gH5sL0pA2eU"}`;

describeWith(["engine", "base", "pipelock", "pulumi"], "git, asked for by the agent", () => {
  let project: ScratchProject;
  let stack: Stack;
  let server: GitServer;
  let mcp: AgentClient;
  let agent: string;
  let before: Record<string, Container>;
  let id: string;

  beforeAll(async () => {
    project = await scratchProject();
    stack = await project.stack("live-git", { agent: { preset: "claude", claude: { login: "none" } }, supervise: true });
    await stack.up({ timeout: 900_000 });
    server = await gitServer(`${stack.identity.composeProject}-egress`, SERVER);
    for (const path of ["org/app.git", "org/lib.git"]) await server.repository(path);
    mkdirSync(project.path("keys"));
    copyFileSync(server.key, project.path("keys/app"));
    copyFileSync(server.strangerKey, project.path("keys/stranger"));
    before = await containers(stack.identity.instance);
    agent = before["agent"]!.name;
    mcp = await agentClient(agent);
  });
  afterAll(async () => {
    await mcp?.close();
    await server?.remove();
    await project?.dispose();
  });

  const human = (...args: string[]) => bottle(project, args);
  const manifest = () => readFileSync(stack.file, "utf8");
  /** As on the agent's terminal. */
  const inside = async (script: string) => {
    const { code, stdout } = await execIn(agent, `{ ${script}\n} 2>&1`);
    return { code, output: stdout };
  };
  const work = async (script: string) => {
    const { code, output } = await inside(`set -e; ${script}`);
    expect(code, output).toBe(0);
    return output;
  };
  /** Tool and arguments that a refusal on the terminal names. */
  function asked(output: string): { tool: string; arguments: Record<string, unknown> } {
    const [, tool, args] = /call the tool (\w+) of the MCP server `supervise` \(http:\/\/supervise:8090\/mcp\) with (\{.*?\})(?:, the branches)? and why/.exec(output) ?? [];
    expect(tool, output).toBeDefined();
    return { tool: tool!, arguments: JSON.parse(args!) as Record<string, unknown> };
  }
  const file = async ({ tool, arguments: args }: ReturnType<typeof asked>) => (await mcp.ask(tool, { ...args, why: "the tests need it" }))["id"] as string;
  async function touched(): Promise<string[]> {
    const now = await containers(stack.identity.instance);
    return Object.keys({ ...before, ...now }).filter((name) => before[name]?.id !== now[name]?.id || before[name]?.startedAt !== now[name]?.startedAt);
  }

  test("a clone is refused, over ssh and over https, with the tool that asks for it", async () => {
    const ssh = await inside(`cd ~ && git clone -q git@${SERVER}:org/app.git`);
    expect(ssh.code).not.toBe(0);
    expect(asked(ssh.output)).toEqual({ tool: "request_git_upstream", arguments: { url: `ssh://git@${SERVER}/org/app.git` } });
    const https = await inside(`cd ~ && git clone -q https://${SERVER}/org/app.git`);
    expect(https.code).not.toBe(0);
    expect(https.output).toMatch(/^remote:.*call the tool request_git_upstream of the MCP server/m);
    expect((await mcp.ask("list_refusals"))["refusals"]).toEqual([expect.objectContaining({ host: SERVER, path: "/org/app.git/info/refs", ask: "request_git_upstream" })]);
    const { arguments: args, tool } = asked(ssh.output);
    id = await file({ tool, arguments: { ...args, push: { branches: ["agent/**"] } } });
  });

  test("key and host key are the human's: until they are there, nothing is changed, and each is asked for in turn", async () => {
    const text = manifest();
    for (const [options, words] of [
      [[], /is reached by ssh and needs identityFile[\s\S]*bottle approve \w+ with --identity-file FILE \[--known-hosts KEY\] for ssh/],
      [["--identity-file", "keys/none"], /Cannot be approved now: this machine lacks what the update needs:\n.*"keys\/none" cannot be read/],
      [["--identity-file", "keys/app"], /no host key of it is known[\s\S]*ssh-keyscan git\.bottle\.test[\s\S]*--known-hosts "ssh-ed25519 AAAA…"/],
      [["--identity-file", "keys/app", "--token", "LIVE_GIT_TOKEN"], /\.token: has no use over ssh/],
    ] as const) {
      const { code, output } = await human("approve", id, "--yes", ...options);
      expect(code, output).toBe(1);
      expect(output).toMatch(words);
    }
    expect(manifest()).toBe(text);
    expect(answerOf(stack, id)).toBeUndefined();
    expect(await touched()).toEqual([]);
  });

  test("approved with both: git-gate is new, nothing else was touched, and the clone works with the answer", async () => {
    const waiting = mcp.ask("wait_for_answer", { id, seconds: 240 });
    const atOnce = waiting.then(() => inside(`cd ~ && git clone -q git@${SERVER}:org/app.git`));
    const { code, output } = await human("approve", id, "--yes", "--identity-file", "keys/app", "--known-hosts", server.hostKey);
    expect(code, output).toBe(0);
    console.log(/is in force.*/.exec(output)?.[0]);
    expect(await waiting).toMatchObject({ status: "approved", in_force: true });
    // Of the key and where it lies the agent hears nothing.
    expect(answerOf(stack, id)!["granted"]).toEqual({ url: `ssh://git@${SERVER}/org/app.git`, push: { branches: ["agent/**"] } });
    expect((await atOnce).output).toBe("");
    expect(await touched()).toEqual(["git-gate"]);
    before = await containers(stack.identity.instance);
    await work("cd ~/app && git checkout -qb agent/one && echo 1 > one && git add one && git commit -qm one && git push -q origin agent/one");
    await stack.succeed({}, "preview", "--expect-no-changes");
  });

  test("a branch that is not allowed: the terminal names tool and arguments; approved, the same push passes", async () => {
    const push = "cd ~/app && git push -q origin agent/one:main 2>&1";
    const refused = await inside(push);
    expect(refused.code).not.toBe(0);
    const ask = asked(refused.output);
    expect(ask).toEqual({ tool: "request_git_branch", arguments: { upstream: "app", branches: ["main"] } });
    expect(((await mcp.ask("list_refusals", { count: 1 }))["refusals"] as object[])[0]).toMatchObject({ by: "git-gate", upstream: "app", ask: ask.tool, arguments: ask.arguments });
    const branch = await file(ask);
    const atOnce = mcp.ask("wait_for_answer", { id: branch, seconds: 240 }).then(() => inside(push));
    const approved = await human("approve", branch, "--yes");
    expect(approved.code, approved.output).toBe(0);
    expect(await atOnce).toEqual({ code: 0, output: "" });
    expect(await server.sh("git -C org/app.git log -1 --format=%s main")).toBe("one");
    expect(await touched()).toEqual([]);
    const status = await execIn(before["git-gate"]!.name, "cat /run/git-gate/status.json");
    const config = JSON.parse(readFileSync(join(stack.state, "git-gate/config/gate.json"), "utf8")) as { revision: string };
    expect(JSON.parse(status.stdout)).toMatchObject({ revision: config.revision });
  });

  test("a secret is no matter of asking", async () => {
    const { code, output } = await inside(`cd ~/app && git checkout -qb agent/leak && echo 'key = "${SECRET}"' > settings && git add . && git commit -qm leak && git push origin agent/leak`);
    expect(code).not.toBe(0);
    expect(output).toContain("secrets were found");
    expect(output).not.toContain("request_git");
    expect(((await mcp.ask("list_refusals", { count: 1 }))["refusals"] as object[])[0]).not.toHaveProperty("ask");
  });

  test("another repository of that server: what its key does not open is taken back, and the agent told", async () => {
    const refused = await inside(`cd ~ && git clone -q git@${SERVER}:org/lib.git`);
    expect(refused.code).not.toBe(0);
    const ask = asked(refused.output);
    expect(ask).toEqual({ tool: "request_git_upstream", arguments: { url: `ssh://git@${SERVER}/org/lib.git` } });
    expect(((await mcp.ask("list_refusals", { count: 1 }))["refusals"] as object[])[0]).toMatchObject({ by: "git-gate", path: `${SERVER}/org/lib`, ask: ask.tool, arguments: ask.arguments });
    const text = manifest();
    const lib = await file(ask);
    const failed = await human("approve", lib, "--yes", "--identity-file", "keys/stranger", "--known-hosts", server.hostKey);
    expect(failed.code).toBe(1);
    expect(failed.output).toMatch(/was not granted, the old rules hold: [\s\S]*does not let git-gate in/);
    expect(manifest()).toBe(text);
    expect(await mcp.ask("wait_for_answer", { id: lib })).toMatchObject({ status: "failed" });
    await work("cd ~/app && git fetch -q");
    expect((await inside(`cd ~ && git clone -q git@${SERVER}:org/lib.git`)).output).toContain("request_git_upstream");
    expect(await touched()).toEqual([]);
  });

  test("over https, a push needs a token: named, and looked for before anything is changed", async () => {
    const https = await file({ tool: "request_git_upstream", arguments: { url: `https://${SERVER}/org/lib.git`, push: { branches: ["agent/**"] } } });
    const text = manifest();
    const without = await human("approve", https, "--yes");
    expect(without.output).toMatch(/needs a token to push with[\s\S]*--token VARIABLE for https/);
    const missing = await human("approve", https, "--yes", "--token", "LIVE_GIT_TOKEN");
    expect(missing.output).toMatch(/the variable LIVE_GIT_TOKEN is not set; export it/);
    expect([without.code, missing.code]).toEqual([1, 1]);
    expect(manifest()).toBe(text);
  });

  test("the evidence is whole", async () => {
    const { code, output } = await human("audit", "verify", "live-git");
    expect(code, output).toBe(0);
    expect(output).toMatch(/pushes\.jsonl\s+\d+\s+whole/);
  });
});
