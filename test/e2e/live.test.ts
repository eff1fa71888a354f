// The whole way of a live change: a refusal, the agent's request over MCP, a human's decision on the host, and what
// the agent can do then.
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { curl } from "../lib/e2e-agent.ts";
import { answerOf, bottle } from "../lib/e2e-cli.ts";
import { containers, execIn, type Container } from "../lib/e2e-engine.ts";
import { agentClient, type AgentClient } from "../lib/e2e-mcp.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

const host = (name: string) => `${name}.live.test`;
const names = ["one", "two", "three", "rejected", "short", "shorter", "late", "api", "unread", "broad", "stale"].map(host);
/** In two parts, so that no scanner of this repository stumbles. */
const TOKEN = `live-${"9f3b61d2c7a84e05"}`;

describeWith(["engine", "base", "pipelock", "pulumi"], "a live change, from the refusal to the rule in force", () => {
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let mcp: AgentClient;
  let agent: string;
  let before: Record<string, Container>;
  /** The human's: a route that was granted needs its variable from then on. */
  const env: NodeJS.ProcessEnv = {};

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    stack = await project.stack("live", { agent: { preset: "claude", claude: { login: "none" } }, supervise: true, trust: project.trust(upstream.ca) });
    await stack.up({ timeout: 900_000 });
    named = await nameUpstream(stack, upstream, names);
    before = await containers(stack.identity.instance);
    agent = before["agent"]!.name;
    mcp = await agentClient(agent);
  });
  afterAll(async () => {
    await mcp?.close();
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  const get = (url: string, more = "") => curl(agent, `${more} ${url}`);
  const manifest = () => readFileSync(stack.file, "utf8");
  const human = (...args: string[]) => bottle(project, args, env);
  /** @throws with the command's output */
  async function approve(id: string, ...args: string[]): Promise<{ stdout: string; took: number }> {
    const { code, stdout, output } = await human("approve", id, "--yes", ...args);
    if (code !== 0) throw new Error(`bottle approve ${id}: exit code ${code}\n${output}`);
    const { milliseconds } = JSON.parse(readFileSync(join(stack.state, "audit.jsonl"), "utf8").trim().split("\n").findLast((line) => line.includes(`"${id}"`))!) as { milliseconds: number };
    return { stdout, took: milliseconds };
  }
  const file = async (tool: string, args: object) => (await mcp.ask(tool, { why: "the tests need it", ...args }))["id"] as string;
  /** What the agent's refusal says to call. */
  async function refused(url: string, more = ""): Promise<{ reason: string; ask: { tool: string; arguments: Record<string, unknown> } }> {
    const { status, body } = await get(url, more);
    expect(status, body).toBe(403);
    return JSON.parse(body) as Awaited<ReturnType<typeof refused>>;
  }
  /** Names of containers that are others, or were started anew. */
  async function touched(): Promise<string[]> {
    const now = await containers(stack.identity.instance);
    return Object.keys({ ...before, ...now }).filter((name) => before[name]?.id !== now[name]?.id || before[name]?.startedAt !== now[name]?.startedAt);
  }

  test("the agent has the tools", async () => {
    expect(await mcp.tools()).toContain("request_host");
    expect(await mcp.ask("list_rules")).toEqual({ hosts: [], routes: [], git: [] });
  });

  test.each(["one", "two", "three"])("what was refused passes the moment the answer is there, and no container was touched: %s", async (name) => {
    const url = `https://${host(name)}/x`;
    const { ask } = await refused(url);
    expect(ask).toEqual({ tool: "request_host", arguments: { host: host(name) } });
    const id = await file(ask.tool, ask.arguments);
    const waiting = mcp.ask("wait_for_answer", { id, seconds: 120 });
    // Without a moment between: the answer's arrival is the start of the request.
    const post = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "wait_for_answer", arguments: { id, seconds: 120 } } });
    const wait = "curl -sS -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' --data-binary @- http://supervise:8090/mcp";
    const atOnce = execIn(agent, `${wait} | grep -q approved && curl -sS -o /dev/null -w '%{http_code}' ${url}`, { input: post, timeout: 150_000 });

    const shown = await human("show", id);
    expect(shown.code, shown.output).toBe(0);
    expect(shown.stdout).toContain(`+      - ${host(name)}`);
    expect(answerOf(stack, id)).toBeUndefined();
    expect((await get(url)).status).toBe(403);
    const { took } = await approve(id);
    console.log(`approval → in force: ${took} ms`);
    expect((await atOnce).stdout).toBe("200");
    expect(await waiting).toMatchObject({ id, status: "approved", granted: { host: host(name) }, until: null, in_force: true });
    expect((await get(url)).status).toBe(200);
    expect(await touched()).toEqual([]);
  });

  test("nothing is left to do for Pulumi", async () => {
    await stack.succeed({}, "preview", "--expect-no-changes");
  });

  test("a rejection: the agent reads why, and stays refused", async () => {
    const url = `https://${host("rejected")}/`;
    const id = await file("request_host", { host: host("rejected") });
    const waiting = mcp.ask("wait_for_answer", { id, seconds: 60 });
    const { code, output } = await human("reject", id, "--why", "use the mirror");
    expect(code, output).toBe(0);
    expect(await waiting).toMatchObject({ id, status: "rejected", why: "use the mirror" });
    await refused(url);
    expect(manifest()).not.toContain(host("rejected"));
  });

  test("the same request again is the same one while it is open", async () => {
    const ask = { host: host("short"), for_seconds: 60 };
    const id = await file("request_host", ask);
    expect(await mcp.ask("request_host", { ...ask, why: "asked again" })).toMatchObject({ id, repeated: expect.any(String) });
    expect(readdirSync(join(stack.state, "supervise/requests")).filter((name) => readFileSync(join(stack.state, "supervise/requests", name), "utf8").includes(host("short")))).toHaveLength(1);
  });

  test("a grant for a time, by the agent's wish or the human's, ends by the clock", async () => {
    const id = ((await mcp.ask("list_requests"))["requests"] as { id: string; status: string }[]).find(({ status }) => status === "open")!.id;
    const other = await file("request_host", { host: host("shorter") });
    await approve(id);
    const long = (await mcp.ask("wait_for_answer", { id }))["until"] as string;
    expect((await get(`https://${host("short")}/`)).status).toBe(200);
    await approve(other, "--for", "30s");
    const short = (await mcp.ask("wait_for_answer", { id: other }))["until"] as string;
    expect((await get(`https://${host("shorter")}/`)).status).toBe(200);
    for (const [name, until] of [["short", long], ["shorter", short]].sort((a, b) => (a[1]! < b[1]! ? -1 : 1)) as [string, string][]) {
      expect(Date.parse(until)).toBeLessThan(Date.now() + 60_000);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(until) - Date.now())));
      expect(await refused(`https://${host(name)}/`)).toMatchObject({ reason: "rule_expired" });
    }
    expect(await touched()).toEqual([]);
  });

  test("one that nobody decided in time: approve says so, and so does the answer", async () => {
    const id = await file("request_host", { host: host("late") });
    const path = join(stack.state, "supervise/requests", `${id}.json`);
    const day = 86_400_000;
    const earlier = (time: string) => new Date(Date.parse(time) - day - 60_000).toISOString();
    const request = JSON.parse(readFileSync(path, "utf8")) as { created_at: string; expires_at: string };
    writeFileSync(path, JSON.stringify({ ...request, created_at: earlier(request.created_at), expires_at: earlier(request.expires_at) }));
    const { code, stderr } = await human("approve", id, "--yes");
    expect(code).toBe(1);
    expect(stderr).toMatch(/expired .* ago/);
    expect(await mcp.ask("wait_for_answer", { id })).toMatchObject({ status: "expired" });
    await refused(`https://${host("late")}/`);
  });

  test("a route with a token: nothing changes while the human's variable is missing; then egress puts it on, unseen", async () => {
    const url = `https://${host("api")}/v1/items`;
    const id = await file("request_route", { host: host("api"), methods: ["GET"], paths: ["/v1/**"], auth: { variable: "LIVE_TOKEN" } });
    const text = manifest();
    for (const command of [["show", id], ["approve", id, "--yes"]]) {
      const { code, output } = await human(...command);
      expect(code, output).toBe(command[0] === "show" ? 0 : 1);
      expect(output).toMatch(/Cannot be approved now: .*\n.*the variable LIVE_TOKEN is not set; export it/);
    }
    expect(manifest()).toBe(text);
    expect(answerOf(stack, id)).toBeUndefined();

    env["LIVE_TOKEN"] = TOKEN;
    await approve(id);
    expect(await mcp.ask("wait_for_answer", { id })).toMatchObject({ status: "approved" });
    const { status, body } = await get(url, "-H 'authorization: Bearer mine'");
    expect(status).toBe(200);
    expect(upstream.requests.findLast(({ path }) => path === "/v1/items")!.headers["authorization"]).toBe(`Bearer ${TOKEN}`);
    // The upstream echoes its request; that alone may show the token.
    expect(body).toContain(TOKEN);
    const seen = await execIn(agent, "env; cat /proc/[0-9]*/environ ~/.claude.json 2>/dev/null; curl -sS -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' --data '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"list_rules\",\"arguments\":{}}}' http://supervise:8090/mcp");
    expect(seen.stdout).toContain("put on by egress");
    expect(seen.stdout).not.toContain(TOKEN);
    expect(await refused(url, "-X POST -d x=1")).toMatchObject({ reason: "method_not_allowed", ask: { tool: "request_route", arguments: { host: host("api"), methods: ["POST"], paths: ["/v1/items"] } } });
    expect(await refused(`https://${host("api")}/v2`)).toMatchObject({ reason: "path_not_allowed" });
    expect(await touched()).toEqual([]);
  });

  test("a host that is not inspected: pipelock must restart for it, and is asked as well", async () => {
    const id = await file("request_host", { host: host("unread"), inspect: false });
    const { took, stdout } = await approve(id);
    console.log(`approval → in force, with pipelock's restart: ${took} ms`);
    expect(stdout).toContain("NOT inspected");
    expect((await get(`https://${host("unread")}/`)).status).toBe(200);
    expect(await touched()).toEqual(["pipelock"]);
    before = await containers(stack.identity.instance);
    expect((await get(`https://${host("one")}/`)).status).toBe(200);
  });

  test("a host that is allowed already: as a whole beside its routes, and no longer inspected", async () => {
    await approve(await file("request_host", { host: host("api") }));
    expect((await get(`https://${host("api")}/v2`)).status).toBe(200);
    expect(upstream.requests.findLast(({ path }) => path === "/v2")!.headers).not.toHaveProperty("authorization");
    expect(await touched()).toEqual([]);
    await approve(await file("request_host", { host: host("two"), inspect: false }));
    expect((await get(`https://${host("two")}/`)).status).toBe(200);
    expect(await touched()).toEqual(["pipelock"]);
    before = await containers(stack.identity.instance);
  });

  test("narrowed by the human: what is granted is told, and no more holds", async () => {
    const id = await file("request_route", { host: host("broad"), methods: ["GET", "POST"] });
    const edited = await bottle(project, ["approve", id, "--yes", "--edit"], { ...env, VISUAL: "", EDITOR: "sed -i '/POST/d; 1a paths: [/docs/**]'" });
    expect(edited.code, edited.output).toBe(0);
    expect(await mcp.ask("wait_for_answer", { id })).toMatchObject({
      change: { methods: ["GET", "POST"] },
      status: "approved",
      granted: { host: host("broad"), methods: ["GET"], paths: ["/docs/**"] },
    });
    expect((await get(`https://${host("broad")}/docs/a`)).status).toBe(200);
    await refused(`https://${host("broad")}/docs/a`, "-X POST -d x=1");
    await refused(`https://${host("broad")}/other`);
  });

  test("shown before the manifest was changed: not applied, until it was shown again", async () => {
    const id = await file("request_host", { host: host("stale") });
    await human("show", id);
    appendFileSync(stack.file, "# a word more\n");
    const stale = await human("approve", id, "--yes");
    expect(stale.code, stale.output).toBe(3);
    expect(await mcp.ask("wait_for_answer", { id, seconds: 0 })).toMatchObject({ status: "open" });
    await approve(id);
    expect((await get(`https://${host("stale")}/`)).status).toBe(200);
  });

  test("what is malformed is refused in place, and no file is written", async () => {
    const files = () => readdirSync(join(stack.state, "supervise/requests")).length;
    const count = files();
    for (const [tool, args, words] of [
      ["request_host", { host: "*" }, /Not filed, mend this/],
      ["request_host", { host: "a.live.test", expires: "2099-01-01T00:00:00Z" }, /expires/],
      ["request_host", { host: "a.live.test", why: "" }, /why/],
      ["request_route", { host: "a.live.test", auth: { variable: "ghp_ not a name" } }, /variable/],
      ["request_git_branch", { upstream: "none", branches: ["main"] }, /no such upstream/],
      ["wait_for_answer", { id: "rzzzzzzz", why: undefined }, /no such request of yours/],
    ] as const) {
      const { error, text } = await mcp.call(tool, { why: "w", ...args });
      expect(error, text).toBe(true);
      expect(text).toMatch(words);
    }
    const raw = await execIn(agent, "curl -sS -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' -d '{\"jsonrpc\": ' http://supervise:8090/mcp");
    expect(raw.stdout).toBe("400");
    expect(files()).toBe(count);
  });

  test("a flood: refused with how long to wait, and the human sees what is there", async () => {
    let said = "";
    let filed = 0;
    for (; filed < 40 && said === ""; filed++) {
      const { error, text } = await mcp.call("request_host", { host: `flood-${filed}.live.test`, why: "flood" });
      if (error) said = text;
    }
    expect(said).toMatch(/^Not filed: (20 requests are open already|30 requests were filed within an hour; the next is possible in \d+ minutes)/);
    const list = await human("requests", "live");
    expect(list.stdout.match(/flood-/g)).toHaveLength(filed - 1);
    const post = "{method: 'POST', headers: {'content-type': 'application/json', accept: 'application/json, text/event-stream'}, body: '{}'}";
    const all = "Promise.all(Array.from({length: 20}, async () => { for (let n = 0; n < 8; n++) codes.add((await fetch('http://supervise:8090/mcp', " + post + ")).status); }))";
    const burst = await execIn(agent, `node -e "const codes = new Set(); ${all}.then(() => console.log([...codes].join()))"`);
    expect(burst.stdout).toContain("429");
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect((await mcp.ask("list_requests"))["requests"]).toHaveLength(30);
  });

  test("the evidence of all this is whole; one byte in a middle line is found, with file and line", async () => {
    await stack.succeed({ env }, "preview", "--expect-no-changes");
    const whole = await human("audit", "verify", "live");
    expect(whole.code, whole.output).toBe(0);
    for (const name of ["audit\\.jsonl", "decisions\\.jsonl"]) expect(whole.stdout).toMatch(new RegExp(`${name}\\s+\\d+\\s+whole`));
    const path = join(stack.state, "evidence/egress/decisions.jsonl");
    const text = readFileSync(path, "utf8");
    const lines = text.split("\n");
    const at = Math.floor(lines.length / 2);
    lines[at] = lines[at]!.replace('"ts":"2', '"ts":"3');
    expect(lines.join("\n")).not.toBe(text);
    writeFileSync(path, lines.join("\n"));
    const broken = await human("audit", "verify", "live");
    expect(broken.code).toBe(1);
    // The line after it no longer fits; the changed one is what that says.
    expect(broken.stdout).toMatch(new RegExp(`decisions\\.jsonl:${at + 2}: `));
    writeFileSync(path, text);
  });
});
