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
const pending = "pending.load.test";
const names = [allowed, unread, never, pending];

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

  test(`${REQUESTS} requests while a host is approved: all counted, on both sides`, async () => {
    const running = load(
      [
        stream("plain", `http://${allowed}/plain`, 6),
        stream("tunnel", `https://${unread}/tunnel`, 6),
        stream("inspected", `https://${allowed}/inspected`, 1, 50, false),
        stream("never, plain", `http://${never}/never`, 1, 20, false),
        stream("never, tls", `https://${never}/never`, 1, 20, false),
        stream("pending, plain", `http://${pending}/pending-plain`, 1, 5, false),
        stream("pending, tls", `https://${pending}/pending-tls`, 1, 5, false),
      ],
      REQUESTS,
      "/tmp/load-stop",
    );
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const id = (await mcp.ask("request_host", { host: pending, why: "the tests need it" }))["id"] as string;
    const approved = await bottle(project, ["approve", id, "--yes"]);
    expect(approved.code, approved.output).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await execIn(agent, "touch /tmp/load-stop");
    const tallies = await running;
    console.log(/is in force.*/.exec(approved.output)?.[0]);
    for (const [name, tally] of Object.entries(tallies)) console.log(name, counts(tally));

    const [plain, tunnel] = [tallies["plain"]!, tallies["tunnel"]!];
    expect(Object.keys(plain)).toEqual(["200"]);
    expect(Object.keys(tunnel)).toEqual(["200"]);
    expect(plain["200"]!.count + tunnel["200"]!.count).toBeGreaterThanOrEqual(REQUESTS);
    expect([arrived("/plain"), arrived("/tunnel")]).toEqual([plain["200"]!.count, tunnel["200"]!.count]);

    for (const name of ["never, plain", "never, tls"]) expect(Object.keys(tallies[name]!), name).toEqual(["403"]);
    expect(arrived("/never")).toBe(0);

    const answeredAt = Date.parse(answerOf(stack, id)!["decided_at"] as string);
    for (const [name, path] of [["pending, plain", "/pending-plain"], ["pending, tls", "/pending-tls"]] as const) {
      const tally = tallies[name]!;
      expect(Object.keys(tally).sort(), name).toEqual(["200", "403"]);
      // Refused before, allowed after, and never back: not even once the first has passed, let alone once the agent is told.
      expect(tally["403"]!.lastStart, name).toBeLessThan(tally["200"]!.firstEnd);
      expect(tally["403"]!.lastStart, name).toBeLessThan(answeredAt);
      expect(arrived(path), name).toBe(tally["200"]!.count);
    }
    // What egress wrote down: each of the plain requests, no more.
    const lines = readFileSync(join(stack.state, "evidence/egress/decisions.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as { decision?: string; path?: string });
    expect(lines.filter(({ decision, path }) => decision === "allow" && path === "/plain")).toHaveLength(plain["200"]!.count);
    expect(lines.filter(({ decision, path }) => decision === "allow" && path === "/never")).toHaveLength(0);
    const audit = await bottle(project, ["audit", "verify", "live-load"]);
    expect(audit.code, audit.output).toBe(0);
  });
});
