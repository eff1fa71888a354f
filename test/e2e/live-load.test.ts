// A host approved while thousands of requests flow: none is dropped, none passes that may not, none is refused that may.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerOf, bottle } from "../lib/e2e-cli.ts";
import { containers, execIn } from "../lib/e2e-engine.ts";
import { agentClient, type AgentClient } from "../lib/e2e-mcp.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import type { Load, Stream, Tally } from "../lib/load-client.ts";
import { describeWith } from "../lib/parts.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

const REQUESTS = 10_000;
const allowed = "allowed.load.test";
const unread = "unread.load.test";
const never = "never.load.test";
const [reloaded, restarted] = ["reloaded.load.test", "restarted.load.test"];
const names = [allowed, unread, never, reloaded, restarted];
/** Requests at once of each of the streams that are counted. */
const WORKERS = 6;

describeWith(["engine", "base", "pipelock", "pulumi"], "an approval under load", () => {
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let mcp: AgentClient;
  let agent: string;

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    const hosts = [allowed, { host: unread, inspect: false }];
    stack = await project.stack("live-load", { agent: { preset: "claude", claude: { login: "none" } }, network: { hosts }, supervise: true, trust: project.trust(upstream.ca) });
    await stack.up({ timeout: 900_000 });
    named = await nameUpstream(stack, upstream, names);
    agent = (await containers(stack.identity.instance))["agent"]!.name;
    mcp = await agentClient(agent);
  });
  afterAll(async () => {
    await mcp?.close();
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  const client = readFileSync(new URL("../lib/load-client.ts", import.meta.url), "utf8");
  async function load(streams: readonly Stream[], requests: number, stop: string): Promise<Record<string, Tally>> {
    const { code, stdout, stderr } = await execIn(agent, "node --input-type=module-typescript -", { input: client, env: { LOAD: JSON.stringify({ streams, requests, stop } satisfies Load) }, timeout: 300_000 });
    if (code !== 0) throw new Error(`the client: exit code ${code}\n${stderr}`);
    return JSON.parse(stdout) as Record<string, Tally>;
  }
  const stream = (name: string, url: string, workers: number, pause = 0, counts = true): Stream => ({ name, url, workers, pause, counts });
  const counts = (tally: Tally) => Object.fromEntries(Object.entries(tally).map(([what, { count }]) => [what, count]));
  /** Requests that reached the upstream under a path. */
  const arrived = (path: string) => upstream.requests.filter((request) => request.path === path).length;

  /** Approves a host in the middle of the load. Paths end with the host, so that what arrives can be counted. */
  async function approveUnderLoad(pending: string, more: object): Promise<Record<string, Tally>> {
    const stop = `/tmp/stop-${pending}`;
    const running = load(
      [
        stream("plain", `http://${allowed}/plain/${pending}`, WORKERS),
        stream("tunnel", `https://${unread}/tunnel/${pending}`, WORKERS),
        stream("inspected", `https://${allowed}/inspected/${pending}`, 2, 20, false),
        stream("never, plain", `http://${never}/never`, 1, 20, false),
        stream("never, tls", `https://${never}/never`, 1, 20, false),
        stream("pending, plain", `http://${pending}/pending-plain`, 1, 5, false),
        stream("pending, tls", `https://${pending}/pending-tls`, 1, 5, false),
      ],
      REQUESTS,
      stop,
    );
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const id = (await mcp.ask("request_host", { host: pending, why: "the tests need it", ...more }))["id"] as string;
    const approved = await bottle(project, ["approve", id, "--yes"]);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await execIn(agent, `touch ${stop}`);
    const tallies = await running;
    expect(approved.code, approved.output).toBe(0);
    console.log(/is in force.*/.exec(approved.output)?.[0], Object.fromEntries(Object.entries(tallies).map(([name, tally]) => [name, counts(tally)])));

    const answeredAt = Date.parse(answerOf(stack, id)!["decided_at"] as string);
    for (const name of ["pending, plain", "pending, tls"]) {
      const { "200": passed, "403": refused, ...other } = tallies[name]!;
      // Refused before, allowed after, and never back: not even once the first has passed, let alone once the agent is told.
      expect(refused!.lastStart, name).toBeLessThan(passed!.firstEnd);
      expect(refused!.lastStart, name).toBeLessThan(answeredAt);
      for (const [what, { lastStart }] of Object.entries(other)) expect(lastStart, `${name}: ${what}`).toBeLessThan(answeredAt);
    }
    for (const name of ["never, plain", "never, tls"]) expect(Object.keys(tallies[name]!), name).toEqual(["403"]);
    expect(arrived("/never")).toBe(0);
    return tallies;
  }

  test(`${REQUESTS} requests while a host is approved: none is lost; all are counted, on both sides`, async () => {
    const tallies = await approveUnderLoad(reloaded!, {});
    const [plain, tunnel, inspected] = [tallies["plain"]!, tallies["tunnel"]!, tallies["inspected"]!];
    for (const tally of [plain, tunnel, inspected]) expect(Object.keys(tally)).toEqual(["200"]);
    expect(plain["200"]!.count + tunnel["200"]!.count).toBeGreaterThanOrEqual(REQUESTS);
    for (const [name, tally] of Object.entries({ plain, tunnel, inspected })) expect(arrived(`/${name}/${reloaded}`), name).toBe(tally["200"]!.count);
    for (const way of ["plain", "tls"]) {
      const tally = tallies[`pending, ${way}`]!;
      expect(Object.keys(tally).sort()).toEqual(["200", "403"]);
      expect(arrived(`/pending-${way}`)).toBe(tally["200"]!.count);
    }
    // What egress wrote down: each of the plain requests, no more.
    const lines = readFileSync(join(stack.state, "evidence/egress/decisions.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as { decision?: string; path?: string });
    const allows = (path: string) => lines.filter((line) => line.decision === "allow" && line.path === path).length;
    expect([allows(`/plain/${reloaded}`), allows("/never")]).toEqual([plain["200"]!.count, 0]);
  });

  test("the same for one that is not inspected: with pipelock, which restarts, only what is under way is lost", async () => {
    const tallies = await approveUnderLoad(restarted!, { inspect: false });
    for (const name of ["plain", "tunnel", "inspected"]) {
      const { "200": passed, ...lost } = tallies[name]!;
      expect(passed!.count, name).toBeGreaterThan(100);
      const sum = Object.values(lost).reduce((all, { count }) => all + count, 0);
      expect(sum, `${name}: ${JSON.stringify(counts(tallies[name]!))}`).toBeLessThanOrEqual(WORKERS);
    }
  });

  test("the evidence of it is whole", async () => {
    const { code, output } = await bottle(project, ["audit", "verify", "live-load"]);
    expect(code, output).toBe(0);
  });
});
