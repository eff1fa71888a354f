// egress and the real pipelock behind it: what passes both, what either refuses, what it costs.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PIPELOCK_IMAGE } from "../../components/manifest/schema.ts";
import { labelled } from "../lib/cleanup.ts";
import { startEgress, type EgressRig } from "../lib/egress-rig.ts";
import { describeWith } from "../lib/parts.ts";
import { ask, head, open, secure, tlsTunnel } from "../lib/raw-client.ts";
import { ok, run, uniqueName, until } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";
import { connect } from "node:net";

describeWith(["engine", "base", "pipelock"], "egress before pipelock", () => {
  let upstream: Upstream;
  let egress: EgressRig;
  const pipelock = uniqueName("egress-pipelock");
  const folder = mkdtempSync(join(tmpdir(), `${pipelock}-`));

  beforeAll(async () => {
    upstream = await startUpstream({ names: ["passed.test", "scanned.test", "private.test"] });
    const gateway = await ok("docker", ["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge"]);
    await ok("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca-key.pem"], { cwd: folder });
    await ok("openssl", ["req", "-x509", "-new", "-key", "ca-key.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=pipelock of a test", "-addext", "keyUsage=critical,keyCertSign,cRLSign"], { cwd: folder });
    writeFileSync(join(folder, "upstream.pem"), upstream.ca);
    writeFileSync(join(folder, "pipelock.yaml"), pipelockConfig(`${gateway}/32`));
    for (const file of ["ca-key.pem", "ca.pem", "upstream.pem", "pipelock.yaml"]) chmodSync(join(folder, file), file === "ca-key.pem" ? 0o600 : 0o644);
    await ok("chown", ["-R", "1000:1000", folder]);
    await ok("docker", [
      ...["run", "--detach", "--name", pipelock, ...labelled(pipelock), "--init", "--read-only", "--cap-drop", "ALL", "--user", "1000:1000", "--tmpfs", "/tmp"],
      ...["--env", "HOME=/tmp", "--env", "SSL_CERT_FILE=/etc/pipelock/upstream.pem", "--volume", `${folder}:/etc/pipelock:ro`],
      ...["passed.test", "scanned.test"].flatMap((host) => ["--add-host", `${host}:${gateway}`]),
      ...["--add-host", "private.test:10.255.255.1", PIPELOCK_IMAGE, "run", "--config", "/etc/pipelock/pipelock.yaml", "--listen", "0.0.0.0:8080"],
    ]);
    const address = await ok("docker", ["inspect", "--format", "{{.NetworkSettings.IPAddress}}", pipelock]);
    await until("pipelock listens", async () => (await run("docker", ["exec", pipelock, "/pipelock", "healthcheck", "--addr", "127.0.0.1:8080"])).code === 0);
    const ca = await ok("cat", [join(folder, "ca.pem")]);
    const port = upstream.httpsPort;
    const rules = `
revision: "1"
hosts: []
routes:
  - {name: passed, host: passed.test, port: ${port}}
  - {name: scanned, host: scanned.test, port: ${port}, inspect: true}
  - {name: private, host: private.test, port: ${port}}
  - {name: unknown, host: unknown.test, port: ${port}}
  - {name: unlisted, host: unlisted.test, port: ${port}}
  - {name: passed-plain, host: passed.test, scheme: http, port: ${upstream.httpPort}}
  - {name: scanned-plain, host: scanned.test, scheme: http, port: ${upstream.httpPort}, inspect: true}
`;
    egress = await startEgress({ rules, trust: `${upstream.ca}${ca}\n`, upstream: { address, port: 8080 } });
  });
  afterAll(async () => {
    await egress?.close();
    await run("docker", ["rm", "--force", pipelock]);
    await upstream?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const opened = (host: string) => tlsTunnel(egress.address, host, { port: upstream.httpsPort, ca: egress.ca });
  const authority = (host: string) => `${host}:${upstream.httpsPort}`;

  test("a request reaches a passed-through and a scanned host", async () => {
    for (const host of ["passed.test", "scanned.test"]) {
      const stream = await opened(host);
      const answer = await ask(stream, head("GET", "/x", authority(host), { "Accept-Encoding": "gzip" }));
      expect(answer.status).toBe(200);
      stream.destroy();
    }
  });

  test("many requests on one connection: no error on either, though pipelock ends a scanned one's each time", async () => {
    for (const host of ["passed.test", "scanned.test"]) {
      const stream = await opened(host);
      for (let n = 0; n < 15; n++) expect((await ask(stream, head("GET", `/${n}`, authority(host)))).status).toBe(200);
      stream.destroy();
    }
  });

  test.each([
    ["private.test", "resolves to internal IP"],
    ["unlisted.test", "unlisted.test"],
  ])("what pipelock refuses is told in its own words: %s", async (host, words) => {
    const stream = await opened(host);
    const answer = await ask(stream, head("GET", "/", authority(host)));
    expect({ status: answer.status, reason: answer.headers["x-bottle-refused"] }).toEqual({ status: 403, reason: "upstream_refused" });
    expect((JSON.parse(answer.body) as { message: string }).message).toContain(words);
    stream.destroy();
  });

  test("a name that nobody knows is no refusal", async () => {
    const stream = await opened("unknown.test");
    const answer = await ask(stream, head("GET", "/", authority("unknown.test")));
    expect({ status: answer.status, reason: answer.headers["x-bottle-refused"] }).toEqual({ status: 502, reason: "upstream_unreachable" });
    expect((JSON.parse(answer.body) as { message: string }).message).toContain("cannot resolve its name");
    stream.destroy();
  });

  const secret = `AKIA${"IOSFODNN7EXAMPLE"}`; // taken for an AWS key by pipelock's default patterns
  const form = { "Content-Type": "application/x-www-form-urlencoded" };
  test.each<[string, string, () => string, string]>([
    ["in a body", "https", () => head("POST", "/sink", authority("scanned.test"), { ...form, "Content-Length": String(secret.length + 2) }) + `k=${secret}`, "AWS"],
    ["in a URL", "https", () => head("GET", `/x?k=${secret}`, authority("scanned.test")), "AWS"],
    ["in a header", "https", () => head("GET", "/x", authority("scanned.test"), { Cookie: `k=${secret}` }), "header contains secret"],
    ["that is too large", "https", () => head("GET", `/bytes?n=${9 * 2 ** 20}`, authority("scanned.test")), "too large"],
    ["in a body over plain HTTP", "http", () => head("POST", `http://scanned.test:${upstream.httpPort}/sink`, `scanned.test:${upstream.httpPort}`, { ...form, "Content-Length": String(secret.length + 2) }) + `k=${secret}`, "AWS"],
  ])("what pipelock refuses of content reads like every refusal: %s", async (_, scheme, request, words) => {
    const stream = scheme === "https" ? await opened("scanned.test") : await open(egress.address);
    const answer = await ask(stream, request());
    stream.destroy();
    expect({ status: answer.status, reason: answer.headers["x-bottle-refused"] }, answer.body).toEqual({ status: 403, reason: "content_refused" });
    expect((JSON.parse(answer.body) as { message: string }).message).toContain(words);
    expect(answer.body).not.toContain(secret);
  });

  test("plain HTTP: pipelock reads what it inspects and nothing of what is passed through, however large", async () => {
    const size = 12 * 2 ** 20; // more than pipelock would hold
    const answers = new Map<string, { status: number; bytes: number }>();
    for (const host of ["passed.test", "scanned.test"]) {
      const stream = await open(egress.address);
      const answer = await ask(stream, head("GET", `http://${host}:${upstream.httpPort}/bytes?n=${size}&k=${secret}`, `${host}:${upstream.httpPort}`));
      answers.set(host, { status: answer.status, bytes: answer.body.length });
      stream.destroy();
    }
    expect(answers.get("passed.test")).toEqual({ status: 200, bytes: size });
    expect(answers.get("scanned.test")!.status).toBe(403);
  });

  test("a 500 KB request to a passed-through host costs at most 50 ms more than direct", async () => {
    const body = Buffer.alloc(500_000, "x");
    const request = Buffer.concat([Buffer.from(head("POST", "/sink", authority("passed.test"), { "Content-Length": String(body.length) })), body]);
    const through = await opened("passed.test");
    const direct = await secure(connect(upstream.httpsPort, "127.0.0.1"), "passed.test", { ca: upstream.ca });
    const times = { through: [] as number[], direct: [] as number[] };
    for (let n = 0; n < 9; n++) {
      for (const [way, stream] of [["through", through], ["direct", direct]] as const) {
        const started = performance.now();
        expect((await ask(stream, request)).status).toBe(200);
        times[way].push(performance.now() - started);
      }
    }
    [through, direct].forEach((stream) => stream.destroy());
    const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
    expect(median(times.through) - median(times.direct)).toBeLessThan(50);
  });
});

function pipelockConfig(allowed: string): string {
  return `version: 1
mode: strict
enforce: true
api_allowlist: [passed.test, scanned.test, private.test, unknown.test]
fetch_proxy: {listen: "0.0.0.0:8080", timeout_seconds: 60, monitoring: {max_requests_per_minute: 60000}}
forward_proxy: {enabled: true}
tls_interception: {enabled: true, ca_cert: /etc/pipelock/ca.pem, ca_key: /etc/pipelock/ca-key.pem, passthrough_domains: [passed.test], max_response_bytes: 8388608}
request_body_scanning: {enabled: true, action: block, scan_headers: true, header_mode: sensitive, sensitive_headers: [authorization, cookie]}
dlp: {include_defaults: true, scan_env: false}
ssrf: {ip_allowlist: ["${allowed}"]}
logging: {format: json, output: stdout}
`;
}
