// Each tool through the SDK's own client, in memory.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { Requests } from "../src/requests.ts";
import { tools } from "../src/tools/index.ts";

let folder: string;
let client: Client;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "supervise-"));
  for (const name of ["requests", "answers", "rules", "gate"]) mkdirSync(join(folder, name));
  writeFileSync(
    join(folder, "rules/rules.yaml"),
    'revision: "1"\nhosts:\n  - host: "docs.example.com"\n    expires: "2020-01-01T00:00:00Z"\nroutes:\n  - name: "api"\n    host: "api.example.com"\n    methods: ["GET"]\n    auth: {token: "SECRET_NAME", header: "authorization", scheme: "bearer"}\n',
  );
  writeFileSync(join(folder, "gate/gate.json"), JSON.stringify({ upstreams: [{ id: "app", url: "git@git.example.com:org/app.git", key: "the-key", known_hosts: "the-host-key", token: null, push: null }] }));
  const egress = [
    { ts: "2026-01-01T00:00:01.000Z", event: "decision", decision: "allow", host: "docs.example.com" },
    { ts: "2026-01-01T00:00:02.000Z", event: "decision", decision: "refuse", reason: "host_not_allowed", host: "evil.example.com", port: 443, method: "GET", path: "/x", prev: "0" },
    { ts: "2026-01-01T00:00:04.000Z", event: "decision", decision: "refuse", reason: "path_not_allowed", host: "api.example.com", port: 443, method: "PUT", path: "/y" },
  ];
  writeFileSync(join(folder, "decisions.jsonl"), `${egress.map((line) => JSON.stringify(line)).join("\n")}\n{"ts": "2026-`);
  writeFileSync(join(folder, "pushes.jsonl"), `${JSON.stringify({ time: "2026-01-01T00:00:03.000Z", event: "push", upstream: "app", outcome: "refused", reason: "the upstream is read-only", ask: { tool: "request_git_branch", arguments: { upstream: "app" } } })}\n`);
  const server = new McpServer({ name: "test", version: "1" });
  const requests = new Requests(join(folder, "requests"), join(folder, "answers"));
  const paths = { rules: join(folder, "rules"), gate: join(folder, "gate"), egressLog: join(folder, "decisions.jsonl"), gateLog: join(folder, "pushes.jsonl") };
  for (const register of tools) register(server, { requests, paths });
  client = new Client({ name: "test", version: "1" });
  const [here, there] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(there), client.connect(here)]);
});
after(async () => {
  await client.close();
  rmSync(folder, { recursive: true });
});

async function call(name: string, args: object = {}): Promise<{ error: boolean; text: string; value: any }> {
  const result = (await client.callTool({ name, arguments: args as Record<string, unknown> })) as { isError?: boolean; content: { text: string }[] };
  const text = result.content[0]!.text;
  return { error: result.isError === true, text, value: result.isError ? undefined : JSON.parse(text) };
}

test("there are eight tools, each with a schema, a description and annotations", async () => {
  const { tools: listed } = await client.listTools();
  assert.deepEqual(
    listed.map(({ name, annotations }) => [name, annotations!.readOnlyHint]),
    [
      ["request_host", false],
      ["request_route", false],
      ["request_git_upstream", false],
      ["request_git_branch", false],
      ["wait_for_answer", true],
      ["list_requests", true],
      ["list_rules", true],
      ["list_refusals", true],
    ],
  );
  for (const tool of listed) {
    assert.equal(tool.inputSchema.additionalProperties, false, tool.name);
    assert.equal(tool.annotations!.openWorldHint, false, tool.name);
    assert.ok(tool.description!.length > 20, tool.name);
  }
});

test("request_host files, and finds it again", async () => {
  const first = await call("request_host", { host: "a.example.com", why: "docs", for_seconds: 600 });
  const again = await call("request_host", { host: "a.example.com", why: "docs" });
  assert.equal(first.value.id, again.value.id);
  assert.match(again.value.repeated, /open already/);
});

test("request_route says every fault of the manifest", async () => {
  const { error, text } = await call("request_route", { host: "api.example.com", methods: ["get"], paths: ["/a/../b"], why: "x" });
  assert.ok(error);
  assert.match(text, /methods\[0\].*upper case/);
  assert.match(text, /paths\[0\].*dot segment/);
});

test("an argument that is none is refused by name, before anything is looked at", async () => {
  const { error, text } = await call("request_host", { host: "b.example.com", why: "x", approve: true });
  assert.ok(error);
  assert.match(text, /approve/);
});

test("request_git_upstream and request_git_branch", async () => {
  assert.equal((await call("request_git_upstream", { url: "git@git.example.com:org/other.git", push: { branches: ["agent/**"] }, why: "x" })).value.status, "open");
  assert.equal((await call("request_git_branch", { upstream: "app", branches: ["agent/**"], why: "x" })).value.status, "open");
  const unknown = await call("request_git_branch", { upstream: "nothere", branches: ["agent/**"], why: "x" });
  assert.ok(unknown.error);
  assert.match(unknown.text, /there are: app/);
});

test("list_requests and wait_for_answer tell what became of them", async () => {
  const { id } = (await call("request_host", { host: "c.example.com", why: "x" })).value;
  assert.equal((await call("wait_for_answer", { id, seconds: 0 })).value.status, "open");
  writeFileSync(join(folder, "answers", `${id}.json`), JSON.stringify({ format: 1, id, decision: "rejected", decided_at: "2026-01-01T00:00:00Z", by: "ann", why: "not today", granted: null, until: null, confirmed: false }));
  const { value } = await call("wait_for_answer", { id });
  assert.deepEqual([value.status, value.why, "granted" in value, "by" in value], ["rejected", "not today", false, false]);
  assert.equal((await call("list_requests")).value.requests.find((each: { id: string }) => each.id === id).status, "rejected");
  assert.ok((await call("wait_for_answer", { id: "raaaaaaa" })).error);
});

test("list_rules names no token, no key", async () => {
  const { text, value } = await call("list_rules");
  assert.deepEqual(value.git, [{ name: "app", url: "git@git.example.com:org/app.git", push: null }]);
  assert.equal(value.hosts[0].over, true);
  assert.equal(value.routes[0].credential, "put on by egress");
  for (const secret of ["SECRET_NAME", "the-key", "the-host-key"]) assert.ok(!text.includes(secret));
});

test("list_refusals: newest first, with the tool that asks", async () => {
  const { refusals } = (await call("list_refusals")).value;
  assert.deepEqual(
    refusals.map((each: Record<string, string>) => [each["by"], each["reason"], each["ask"]]),
    [
      ["egress", "path_not_allowed", "request_route"],
      ["git-gate", "the upstream is read-only", "request_git_branch"],
      ["egress", "host_not_allowed", "request_host"],
    ],
  );
  assert.deepEqual(refusals[1].arguments, { upstream: "app" });
  assert.equal((await call("list_refusals", { count: 1 })).value.refusals.length, 1);
});
