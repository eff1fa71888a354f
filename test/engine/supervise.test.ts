// supervise's real image, started from a bottle's own service, asked by the MCP SDK's client.
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderComposeFile } from "../../components/compose/compose-file.ts";
import { renderRules } from "../../components/egress/rules.ts";
import { ownedFile, ownedFolder } from "../../components/files/owned-files.ts";
import { identify } from "../../components/identity.ts";
import { ensureImage } from "../../components/images/ensure.ts";
import { superviseImage } from "../../components/images/plan.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { readManifest } from "../../components/manifest/manifest.ts";
import { stateFolder } from "../../components/state-folder.ts";
import { networkSubnets } from "../../components/subnets.ts";
import { MCP_URL, SUPERVISE_NAME, SUPERVISE_PORT } from "../../components/supervise/config.ts";
import { parseRequest } from "../../components/supervise/request.ts";
import { superviseService } from "../../components/supervise/service.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { labelled, removeLabelled } from "../lib/cleanup.ts";
import { ownSubnet } from "../lib/e2e-engine.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, run, uniqueName, until } from "../lib/run.ts";

/** No uid that the image knows. */
const user = { uid: 4321, gid: 4322 };

describeWith(["engine", "base"], "supervise", () => {
  const name = uniqueName("supervise");
  const project = mkdtempSync(join(tmpdir(), `${name}-`));
  const identity = identify(`file://${project}`, "organization", "bottle", name);
  const folder = stateFolder(project, identity.slug);
  const container = `${name}-${SUPERVISE_NAME}-1`;
  const { prefix, base } = ownSubnet();
  const subnets = networkSubnets(`${prefix}.${base}/26`);
  const address = subnets.internal.addresses[SUPERVISE_NAME]!;
  let client: Client;

  beforeAll(async () => {
    const manifest = readManifest({ network: { hosts: ["docs.example.com"] }, agent: { claude: { login: "none" } } });
    const image = superviseImage({ manifest, identity, project: projectRoot, trust: trustFiles(undefined, projectRoot).paths });
    await ensureImage(image);
    for (const path of [...Object.values(folder.supervise), folder.egress.rules, folder.egress.evidence, folder.gitGate.config, folder.gitGate.evidence]) ownedFolder(path, user);
    ownedFile(join(folder.egress.rules, "rules.yaml"), renderRules(manifest.network), user);
    await ok("docker", ["network", "create", ...labelled(name), "--internal", "--subnet", subnets.internal.cidr, "--gateway", subnets.internal.gateway, name]);
    const service = superviseService({ image: image.image, user: `${user.uid}:${user.gid}`, folder, subnets });
    const file = join(project, "docker-compose.yml");
    writeFileSync(file, renderComposeFile({ identity, services: [service], networks: { internal: name }, volumes: {} }));
    const up = await run("docker", ["compose", "--project-name", name, "--file", file, "up", "--detach", "--wait"]);
    if (up.code !== 0) throw new Error(`${up.stderr}\n${(await run("docker", ["logs", container])).stdout}`);
    client = await connected();
  });
  afterAll(async () => {
    await client?.close();
    await removeLabelled(identity.instance, "bottle.instance");
    await removeLabelled(name);
    rmSync(project, { recursive: true, force: true });
  });

  /** fetch as the agent's client would, to the address that the agent has under that name. */
  const asAgent = (async (url: string | URL, init: RequestInit = {}) =>
    new Promise<Response>((resolve, reject) => {
      const headers = { ...Object.fromEntries(new Headers(init.headers)), host: new URL(url).host };
      const sent = request({ host: address, port: SUPERVISE_PORT, path: new URL(url).pathname, method: init.method ?? "GET", headers, ...(init.signal && { signal: init.signal }) }, (response) => {
        const status = response.statusCode!;
        resolve(new Response(status === 202 || status === 204 ? null : (Readable.toWeb(response) as ReadableStream<Uint8Array>), { status, headers: response.headers as Record<string, string> }));
      });
      sent.on("error", reject);
      sent.end(init.body as string | undefined);
    })) as typeof fetch;

  async function connected(): Promise<Client> {
    const made = new Client({ name: "agent", version: "1" });
    await made.connect(new StreamableHTTPClientTransport(new URL(MCP_URL), { fetch: asAgent }));
    return made;
  }
  async function call(tool: string, args: Record<string, unknown> = {}): Promise<Record<string, any>> {
    const result = (await client.callTool({ name: tool, arguments: args }, undefined, { timeout: 60_000 })) as { isError?: boolean; content: { text: string }[] };
    return result.isError ? { error: result.content[0]!.text } : (JSON.parse(result.content[0]!.text) as Record<string, any>);
  }
  function answer(id: string, decision: "approved" | "rejected"): void {
    const path = join(folder.supervise.answers, `${id}.json`);
    const granted = decision === "approved" ? { host: "api.example.com" } : null;
    writeFileSync(`${path}.tmp`, JSON.stringify({ format: 1, id, decision, decided_at: new Date().toISOString(), by: "root", why: null, granted, until: null, confirmed: decision === "approved" }));
    renameSync(`${path}.tmp`, path);
  }

  test("tells the agent what it is for, and has its tools", async () => {
    expect(client.getInstructions()).toContain("A human decides");
    expect((await client.listTools()).tools.map(({ name: tool }) => tool)).toContain("request_route");
  });

  test("a request lies in a file of the host; the agent that waits has the answer within a second", async () => {
    const { id } = await call("request_host", { host: "api.example.com", why: "its docs" });
    const path = join(folder.supervise.requests, `${id}.json`);
    expect(statSync(path)).toMatchObject(user);
    expect(parseRequest(readFileSync(path, "utf8"), id)).toMatchObject({ request: { kind: "host", change: { host: "api.example.com" } } });
    const waiting = call("wait_for_answer", { id, seconds: 30 });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const answered = performance.now();
    answer(id, "approved");
    expect(await waiting).toMatchObject({ id, status: "approved", in_force: true });
    expect(performance.now() - answered).toBeLessThan(1_000);
  });

  test("a wait of 20 s stands, though nothing else is said on it", async () => {
    const { id } = await call("request_host", { host: "slow.example.com", why: "x" });
    const started = performance.now();
    expect(await call("wait_for_answer", { id, seconds: 20 })).toMatchObject({ status: "open" });
    expect(performance.now() - started).toBeGreaterThan(19_000);
  });

  test("rules and refusals are those of now", async () => {
    expect(await call("list_rules")).toEqual({ hosts: [{ host: "docs.example.com", inspect: true }], routes: [], git: [] });
    const log = join(folder.egress.evidence, "decisions.jsonl");
    ownedFile(log, "", user);
    appendFileSync(log, `${JSON.stringify({ ts: "2026-01-01T00:00:00.000Z", event: "decision", decision: "refuse", reason: "host_not_allowed", host: "evil.example.com", port: 443 })}\n`);
    expect((await call("list_refusals"))["refusals"]).toEqual([expect.objectContaining({ host: "evil.example.com", ask: "request_host" })]);
  });

  test("whoever asks by another name, or from a page, is not answered", async () => {
    const post = (url: string, headers: Record<string, string> = {}) => asAgent(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: "{}" });
    expect((await post("http://evil.example.com:8090/mcp")).status).toBe(403);
    expect((await post(MCP_URL, { origin: "http://evil.example.com" })).status).toBe(403);
    expect((await asAgent(MCP_URL)).status).toBe(405);
  });

  test("a flood of connections and of requests leaves it healthy, small and of use", async () => {
    const sockets = Array.from({ length: 300 }, () => connect(SUPERVISE_PORT, address).on("error", () => {}));
    await Promise.all(Array.from({ length: 300 }, () => asAgent(MCP_URL, { method: "POST", headers: { "content-type": "application/json" }, body: `{"x":"${"x".repeat(20_000)}"}` }).then((response) => response.body?.cancel(), () => {})));
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await ok("docker", ["inspect", "--format", "{{.State.Health.Status}} {{.RestartCount}}", container])).toBe("healthy 0");
    const memory = await ok("docker", ["stats", "--no-stream", "--format", "{{.MemUsage}}", container]);
    expect(Number.parseFloat(memory), memory).toBeLessThan(120);
    expect((await call("list_rules"))["hosts"]).toHaveLength(1);
  });

  test("no more than 20 are open, whatever is asked; and what was filed is there after a kill", async () => {
    let refused = "";
    for (let n = 0; n < 25 && !refused; n++) {
      refused = ((await call("request_host", { host: `n${n}.example.com`, why: "x" })) as { error?: string }).error ?? "";
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(refused).toContain("20 requests are open");
    const before = readdirSync(folder.supervise.requests).length;
    await ok("docker", ["kill", container]);
    await ok("docker", ["start", container]);
    await until("supervise is back", async () => (await run("docker", ["inspect", "--format", "{{.State.Health.Status}}", container])).stdout.trim() === "healthy", 15_000);
    client = await connected();
    expect((await call("list_requests"))["requests"]).toHaveLength(before);
    expect((await call("request_host", { host: "more.example.com", why: "x" }))["error"]).toContain("20 requests are open");
  });

  test("writes nowhere but into its requests; stops within a second", async () => {
    const inside = (script: string) => run("docker", ["exec", container, "bash", "-c", script]);
    for (const path of ["/var/lib/supervise/answers/x", "/etc/bottle/rules/x", "/var/log/egress/x", "/opt/supervise/x"]) expect((await inside(`echo > ${path}`)).code, path).not.toBe(0);
    expect((await inside("grep CapEff /proc/self/status")).stdout).toContain("0000000000000000");
    const started = performance.now();
    await ok("docker", ["stop", "--timeout", "5", container]);
    expect(performance.now() - started).toBeLessThan(2_000); // with the engine's own share
    expect(existsSync(join(folder.supervise.answers, "x"))).toBe(false);
  });
});
