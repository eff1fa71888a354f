// A bottle whose agent may ask: from a refusal to a request's file, an answer, and what `up` makes of it.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callTool, curl } from "../lib/e2e-agent.ts";
import { containers, execIn, type Container } from "../lib/e2e-engine.ts";
import { scratchProject, type Manifest, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { changedResources } from "../lib/e2e-pulumi.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "a bottle whose agent may ask", () => {
  const host = "asked.bottle.test";
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let before: Record<string, Container>;
  let id: string;

  beforeAll(async () => {
    upstream = await startUpstream({ names: [host] });
    project = await scratchProject();
    stack = await project.stack("asks", manifest([]));
    await stack.up({ timeout: 900_000 });
    named = await nameUpstream(stack, upstream, [host]);
    before = await containers(stack.identity.instance);
  });
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  function manifest(hosts: unknown[]): Manifest {
    return { agent: { preset: "claude", claude: { login: "none" } }, network: { hosts }, supervise: true, trust: project.trust(upstream.ca) };
  }

  const call = (tool: string, args: object) => callTool(before["agent"]!.name, tool, args);

  test("has egress without any route, and Claude Code knows where to ask", async () => {
    expect(Object.keys(before).sort()).toEqual(["agent", "egress", "pipelock", "supervise"]);
    const { stdout } = await execIn(before["agent"]!.name, "cat ~/.claude.json");
    expect(JSON.parse(stdout)).toMatchObject({ mcpServers: { supervise: { type: "http", url: "http://supervise:8090/mcp" } } });
    expect((await execIn(before["agent"]!.name, "claude mcp list", { timeout: 60_000 })).stdout).toMatch(/supervise: .*Connected/);
    const { code, output } = await stack.pulumi("preview", "--expect-no-changes");
    expect(code, output).toBe(0);
  });

  test("a refusal names tool and arguments, with which the agent asks", async () => {
    const refused = await curl(before["agent"]!.name, `https://${host}/x`);
    expect(refused.status).toBe(403);
    const { ask } = JSON.parse(refused.body) as { ask: { tool: string; arguments: object } };
    expect(ask).toEqual({ tool: "request_host", arguments: { host } });
    id = (await call(ask.tool, { ...ask.arguments, why: "to read it", for_seconds: 3600 }))["id"] as string;
    expect(existsSync(join(stack.state, "supervise/requests", `${id}.json`))).toBe(true);
    expect((await call("list_refusals", {}))["refusals"]).toEqual([expect.objectContaining({ host, reason: "host_not_allowed", ask: "request_host" })]);
  });

  test("what is granted works with the answer; no container is made anew; the grant ends by the clock, and up tidies", async () => {
    const waiting = call("wait_for_answer", { id, seconds: 50 });
    const until = new Date(Math.ceil(Date.now() / 1000) * 1000 + 40_000).toISOString().replace(/\.\d+Z$/, "Z");
    stack.write(manifest([{ host, expires: until }]));
    await stack.up();
    const path = join(stack.state, "supervise/answers", `${id}.json`);
    const answer = { format: 1, id, decision: "approved", decided_at: new Date().toISOString(), by: "test", why: null, granted: { host }, until, confirmed: true };
    writeFileSync(`${path}.tmp`, JSON.stringify(answer), { mode: 0o644 });
    renameSync(`${path}.tmp`, path);
    expect(await waiting).toMatchObject({ status: "approved", until });
    expect((await curl(before["agent"]!.name, `https://${host}/x`)).status).toBe(200);
    const after = await containers(stack.identity.instance);
    for (const name of Object.keys(before)) expect(after[name]!.id, name).toBe(before[name]!.id);

    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(until) - Date.now()) + 500));
    const over = await curl(before["agent"]!.name, `https://${host}/x`);
    expect(over.status).toBe(403);
    expect(over.body).toContain("rule_expired");
    const tidied = await stack.up();
    expect(tidied.output).toContain("the end of bottle:network.hosts[0] has passed");
    expect(Object.keys(changedResources(tidied.output)).join()).toMatch(/egress-rules/);
    expect(readFileSync(join(stack.state, "egress/rules/rules.yaml"), "utf8")).not.toContain(host);
  });
});
