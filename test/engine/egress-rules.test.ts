// What egress lets through and what it refuses: asked of the real image, byte by byte where it matters.
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startEgress, type EgressRig } from "../lib/egress-rig.ts";
import { describeWith } from "../lib/parts.ts";
import { ask, closed, head, open, readAnswer, secure, tlsTunnel, tunnel, type Answer } from "../lib/raw-client.ts";
import { startStubProxy, type StubProxy } from "../lib/stub-proxy.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

const RULES = `
revision: "1"
strip_headers: [authorization, x-api-key]
hosts:
  - host: docs.test
  - host: "*.wild.test"
  - host: blocked.test
  - {host: scanned.test, inspect: true}
routes:
  - {name: llm, host: api.test, methods: [GET, POST], paths: ["/v1/**"], auth: {token: LLM_KEY, header: x-api-key, scheme: raw}}
  - {name: query, host: api.test, methods: [GET], paths: [/search], query: {safe: "on"}}
  - {name: keyless, host: keyless.test, auth: {token: MISSING, scheme: bearer}}
  - {name: any, host: any.test, auth: {token: OTHER, scheme: bearer, optional: true}}
  - {name: odd port, host: odd.test, port: 8443}
  - {name: plain, host: plain.test, scheme: http, port: 8080, paths: ["/pool/**"]}
`;
/** Ports behind which the test's names speak plain HTTP. */
const plainPorts = new Set([80, 8080]);
const BLOCKED = "CONNECT blocked: blocked.test is not in the allowlist";

describeWith(["engine", "base"], "egress holds an agent to its rules", () => {
  let upstream: Upstream;
  let proxy: StubProxy;
  let egress: EgressRig;

  beforeAll(async () => {
    const names = ["docs.test", "a.wild.test", "scanned.test", "api.test", "keyless.test", "any.test", "odd.test"];
    upstream = await startUpstream({ names });
    proxy = await startStubProxy(
      (host, port) => (host === "blocked.test" ? { answer: `HTTP/1.1 403 Forbidden\r\nContent-Length: ${BLOCKED.length + 1}\r\n\r\n${BLOCKED}\n` } : { port: plainPorts.has(port) ? upstream.httpPort : upstream.httpsPort }),
      upstream.httpPort,
    );
    egress = await startEgress({ rules: RULES, tokens: { LLM_KEY: "real-key-of-the-llm" }, trust: upstream.ca, upstream: proxy.port });
  });
  afterAll(async () => {
    await egress?.close();
    await proxy?.close();
    await upstream?.close();
  });
  beforeEach(() => {
    upstream.requests.length = 0;
    proxy.asked.length = 0;
  });

  /** One request through TLS that egress opens; `path` is sent as it is. */
  async function opened(host: string, method: string, path: string, headers: Record<string, string> = {}, port = 443): Promise<Answer> {
    const stream = await tlsTunnel(egress.address, host, { port, ca: egress.ca });
    try {
      return await ask(stream, head(method, path, port === 443 ? host : `${host}:${port}`, headers));
    } finally {
      stream.destroy();
    }
  }

  /** One plain request to the proxy. */
  async function plain(request: string): Promise<Answer> {
    const stream = await open(egress.address);
    try {
      return await ask(stream, request);
    } finally {
      stream.destroy();
    }
  }

  function expectRefusal(answer: Answer, reason: string, status = 403): Record<string, unknown> {
    expect({ status: answer.status, reason: answer.headers["x-bottle-refused"] }).toEqual({ status, reason });
    expect(upstream.requests).toEqual([]);
    const body = JSON.parse(answer.body) as Record<string, unknown>;
    expect(body).toMatchObject({ error: "refused by bottle", reason });
    expect(body["how_to_ask"]).toContain("pulumi up");
    return body;
  }

  test("an allowed request goes on with the real key in place of the agent's", async () => {
    const headers = { "x-api-key": "placeholder", Authorization: "Bearer placeholder", "Proxy-Authorization": "Basic eA==", "X-Forwarded-Host": "evil.test" };
    const answer = await opened("api.test", "GET", "/v1/models?x=1", headers);
    expect(answer.status).toBe(200);
    const [seen] = upstream.requests;
    expect(seen).toMatchObject({ method: "GET", path: "/v1/models?x=1", servername: "api.test" });
    expect(seen!.headers).toEqual({ host: "api.test", "x-api-key": "real-key-of-the-llm" });
  });

  test("a host that needs no opening is tunnelled: its own certificate reaches the agent", async () => {
    for (const host of ["docs.test", "a.wild.test"]) {
      const stream = await tlsTunnel(egress.address, host, { ca: upstream.ca });
      expect((await ask(stream, head("GET", "/any//path", host, { Authorization: "Bearer mine" }))).status).toBe(200);
      stream.destroy();
    }
    expect(upstream.requests.map((request) => [request.path, request.headers["authorization"]])).toEqual([["/any//path", "Bearer mine"], ["/any//path", "Bearer mine"]]);
  });

  test("a scanned host is opened and asked for uncompressed bodies", async () => {
    expect((await opened("scanned.test", "GET", "/x", { "Accept-Encoding": "gzip, br" })).status).toBe(200);
    expect(upstream.requests[0]!.headers["accept-encoding"]).toBe("identity");
  });

  test("plain HTTP: by absolute URL, or tunnelled to a plain port", async () => {
    expect((await plain(head("GET", "http://docs.test/x", "docs.test", { "x-api-key": "mine" }))).status).toBe(200);
    expect(upstream.requests[0]!.headers).toEqual({ host: "docs.test" });
    const stream = await tunnel(egress.address, "docs.test:80");
    expect((await ask(stream, head("GET", "/y", "docs.test"))).status).toBe(200);
    stream.destroy();
    expect((await plain(head("GET", "http://plain.test:8080/pool/a.deb", "plain.test:8080"))).status).toBe(200);
    expect(proxy.asked).toEqual(["CONNECT docs.test:80 HTTP/1.1", "CONNECT docs.test:80 HTTP/1.1", "CONNECT plain.test:8080 HTTP/1.1"]);
  });

  test("a route's own port", async () => {
    expect((await opened("odd.test", "GET", "/", {}, 8443)).status).toBe(200);
    expect(proxy.asked).toEqual(["CONNECT odd.test:8443 HTTP/1.1"]);
  });

  test("a host that is not allowed: the answer inside the tunnel says which rule is missing, nothing goes out", async () => {
    for (const host of ["evil.test", "api.test.evil.test", "xapi.test", "wild.test", "xn--pi-7ka.test"]) {
      const body = expectRefusal(await opened(host, "GET", "/secret?token=1"), "host_not_allowed");
      expect(body).toMatchObject({ host, port: 443, method: "GET", path: "/secret", rule: { "bottle:network": { hosts: [host] } } });
    }
    expect(proxy.asked).toEqual([]);
  });

  test("addresses in place of names", async () => {
    for (const [target, shown] of [["93.184.216.34:443", "93.184.216.34"], ["[::1]:443", "::1"]] as const) {
      const stream = await secure(await tunnel(egress.address, target), "", { ca: egress.ca, checkServerIdentity: () => undefined });
      expect(expectRefusal(await ask(stream, head("GET", "/", shown)), "host_not_allowed")["rule"]).toBeNull();
      stream.destroy();
    }
    expectRefusal(await plain(head("GET", "http://127.0.0.1/", "127.0.0.1")), "host_not_allowed");
    expectRefusal(await plain(head("GET", "http://2130706433/", "2130706433")), "host_not_allowed");
    expectRefusal(await plain(head("GET", "http://169.254.169.254/latest/meta-data", "169.254.169.254")), "host_not_allowed");
    expect(proxy.asked).toEqual([]);
  });

  test("CONNECT targets that are no plain host and port", async () => {
    for (const target of ["docs.test", "docs.test.:443", "user@docs.test:443", "docs.test:443:443", "docs.test:0", "docs.test:99999", "docs%2etest:443", "0x7f.1:443"]) {
      const stream = await open(egress.address);
      expectRefusal(await ask(stream, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`), "bad_request", 400);
      await closed(stream);
    }
    expect(proxy.asked).toEqual([]);
  });

  test("other ports of allowed hosts", async () => {
    for (const [host, port] of [["docs.test", 22], ["docs.test", 8443], ["api.test", 8443], ["odd.test", 443]] as const) {
      expectRefusal(await opened(host, "GET", "/", {}, port), "port_not_allowed");
    }
    expect(proxy.asked).toEqual([]);
  });

  test.each([
    ["path_not_allowed", "GET", "/v2/models"],
    ["path_not_allowed", "GET", "/V1/models"],
    ["path_not_allowed", "GET", "/v1x"],
    ["path_not_allowed", "GET", "/v1%2Fmodels"],
    ["path_not_canonical", "GET", "/v1/../admin"],
    ["path_not_canonical", "GET", "/v1/./x"],
    ["path_not_canonical", "GET", "/v1/%2e%2e/admin"],
    ["path_not_canonical", "GET", "/v1/%2E%2E%2fadmin"],
    ["path_not_canonical", "GET", "/v1/%252e%252e/admin"],
    ["path_not_canonical", "GET", "/v1//admin"],
    ["path_not_canonical", "GET", "/v1/..;/admin"],
    ["path_not_canonical", "GET", "/v1/..\\admin"],
    ["path_not_canonical", "GET", "/v1/%5cadmin"],
    ["path_not_canonical", "GET", "/v1/%00"],
    ["path_not_canonical", "GET", "/v1/%c0%ae%c0%ae/admin"],
    ["path_not_canonical", "GET", "/v1/#/admin"],
    ["path_not_canonical", "OPTIONS", "*"],
    ["method_not_allowed", "DELETE", "/v1/models"],
    ["method_not_allowed", "TRACE", "/v1/models"],
    ["method_not_allowed", "get", "/v1/models"],
    ["query_not_allowed", "GET", "/search"],
    ["query_not_allowed", "GET", "/search?safe=off"],
    ["query_not_allowed", "GET", "/search?safe=on&safe=off"],
    ["query_not_allowed", "GET", "/search?safe=on&%73afe=off"],
    ["query_not_allowed", "GET", "/search?safe=on;safe=off"],
  ])("%s: %s %s", async (reason, method, path) => {
    expectRefusal(await opened("api.test", method, path), reason);
    expect(proxy.asked).toEqual([]);
  });

  test("TRACE is never implied", async () => {
    expectRefusal(await opened("any.test", "TRACE", "/"), "method_not_allowed");
  });

  test("an encoded form of an allowed path is allowed, and goes on as it was written", async () => {
    expect((await opened("api.test", "GET", "/%76%31/a%20b?q=%2e%2e")).status).toBe(200);
    expect(upstream.requests[0]!.path).toBe("/%76%31/a%20b?q=%2e%2e");
  });

  test.each([
    ["host_mismatch", { Host: "evil.test" }],
    ["host_mismatch", { Host: "docs.test" }],
    ["host_mismatch", { Host: "api.test:8443" }],
    ["host_mismatch", { Host: "api.test@evil.test" }],
    ["host_mismatch", { Host: "" }],
    ["method_override", { "X-HTTP-Method-Override": "DELETE" }],
    ["method_override", { X_HTTP_METHOD_OVERRIDE: "DELETE" }],
    ["upgrade_not_allowed", { Upgrade: "h2c", Connection: "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABk" }],
    ["websocket_not_allowed", { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "eA==" }],
  ] as [string, Record<string, string>][])("%s: %o", async (reason, headers) => {
    expectRefusal(await opened("api.test", "GET", "/v1/x", headers), reason);
    expect(proxy.asked).toEqual([]);
  });

  test.each([
    ["two Host headers", "GET /v1/x HTTP/1.1\r\nHost: api.test\r\nHost: evil.test\r\n\r\n"],
    ["no Host header", "GET /v1/x HTTP/1.1\r\n\r\n"],
    ["an absolute URL", "GET https://api.test/v1/x HTTP/1.1\r\nHost: api.test\r\n\r\n"],
    ["another absolute URL", "GET https://evil.test/v1/x HTTP/1.1\r\nHost: api.test\r\n\r\n"],
    ["a second CONNECT", "CONNECT evil.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n"],
    ["a folded header", "GET /v1/x HTTP/1.1\r\nHost: api.test\r\nX-A: 1\r\n Host: evil.test\r\n\r\n"],
    ["a bare CR", "GET /v1/x HTTP/1.1\r\nHost: api.test\r\nX-A: 1\rHost: evil.test\r\n\r\n"],
    ["a space before the colon", "GET /v1/x HTTP/1.1\r\nHost : evil.test\r\nHost: api.test\r\n\r\n"],
    ["length and chunks", "POST /v1/x HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "POST /v1/x HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"],
    ["an odd length", "POST /v1/x HTTP/1.1\r\nHost: api.test\r\nContent-Length: +5\r\n\r\nhello"],
    ["an unknown coding", "POST /v1/x HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"],
    ["a look-alike of a framing header", "POST /v1/x HTTP/1.1\r\nHost: api.test\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\nHost: api.test\r\n\r\nSM\r\n\r\n"],
    ["HTTP/0.9", "GET /v1/x\r\n\r\n"],
    ["another version", "GET /v1/x HTTP/1.2\r\nHost: api.test\r\n\r\n"],
    ["a head without end", `GET /v1/x HTTP/1.1\r\nHost: api.test\r\nX-A: ${"a".repeat(200_000)}`],
  ])("a malformed request is refused and its connection closed: %s", async (_, request) => {
    const stream = await tlsTunnel(egress.address, "api.test", { ca: egress.ca });
    expectRefusal(await ask(stream, request), "bad_request", 400);
    await closed(stream);
    expect(upstream.requests).toEqual([]);
  });

  test("a malformed plain request is refused: not for a proxy, https in the clear, user information", async () => {
    expectRefusal(await plain(head("GET", "/", "proxy:8080")), "bad_request", 400);
    expectRefusal(await plain(head("GET", "https://api.test/v1/x", "api.test")), "scheme_not_allowed");
    expectRefusal(await plain(head("GET", "http://api.test/v1/x", "api.test")), "scheme_not_allowed");
    expectRefusal(await plain(head("GET", "http://docs.test/", "evil.test")), "host_mismatch");
    expectRefusal(await plain(head("GET", "http://me@docs.test/", "docs.test")), "bad_request", 400);
    expectRefusal(await plain(head("GET", "http://docs.test./", "docs.test.")), "host_not_allowed");
    expectRefusal(await plain(head("GET", "http://plain.test:8080/pool/../x", "plain.test:8080")), "path_not_canonical");
    expectRefusal(await plain(head("GET", "ftp://docs.test/", "docs.test")), "bad_request", 400);
    expect(proxy.asked).toEqual([]);
  });

  test("a server name that is not the CONNECT's, in a tunnelled and in an opened host", async () => {
    for (const [host, servername] of [["docs.test", "evil.test"], ["docs.test", "api.test"], ["api.test", "docs.test"], ["docs.test", ""]] as const) {
      const stream = await secure(await tunnel(egress.address, `${host}:443`), servername, { ca: egress.ca, checkServerIdentity: () => undefined });
      expectRefusal(await ask(stream, head("GET", "/v1/x", host)), "sni_mismatch");
      stream.destroy();
    }
    expect(proxy.asked).toEqual([]);
  });

  test("Encrypted ClientHello, which hides the real name, never goes on: egress ends it and reads the request", async () => {
    const stream = await tunnel(egress.address, "docs.test:443");
    stream.write(withExtension(await clientHello("docs.test"), 0xfe0d, Buffer.alloc(32)));
    const [answer] = (await once(stream.resume(), "data")) as [Buffer];
    expect(answer.subarray(0, 2).toString("hex")).toBe("1603"); // a ServerHello, and not the server's
    expect(proxy.asked).toEqual([]);
    stream.destroy();
    const plainHello = await tunnel(egress.address, "docs.test:443");
    plainHello.write(await clientHello("docs.test"));
    await once(plainHello.resume(), "data");
    expect(proxy.asked).toEqual(["CONNECT docs.test:443 HTTP/1.1"]);
    plainHello.destroy();
  });

  test("no raw TCP: what is not TLS inside a tunnel to 443 goes nowhere", async () => {
    for (const host of ["docs.test", "api.test", "evil.test"]) {
      const ssh = await tunnel(egress.address, `${host}:443`);
      ssh.write("SSH-2.0-OpenSSH_10.0\r\n");
      expect(await closed(ssh)).toBeLessThan(2_000);
      const http = await tunnel(egress.address, `${host}:443`);
      expectRefusal(await ask(http, head("GET", "/v1/x", host)), host === "evil.test" ? "host_not_allowed" : "not_tls");
      http.destroy();
    }
    const garbage = await tunnel(egress.address, "docs.test:443");
    expectRefusal(await ask(garbage, Buffer.from("16030100050200000100", "hex")), "bad_request", 400);
    expect(proxy.asked).toEqual([]);
  });

  test("each request of a kept connection is decided anew", async () => {
    const stream = await tlsTunnel(egress.address, "api.test", { ca: egress.ca });
    const statuses = [];
    for (const path of ["/v1/a", "/v2", "/v1/b", "/v1/../c", "/v1/d"]) statuses.push((await ask(stream, head("GET", path, "api.test"))).status);
    stream.destroy();
    expect(statuses).toEqual([200, 403, 200, 403, 200]);
    expect(upstream.requests.map((request) => request.path)).toEqual(["/v1/a", "/v1/b", "/v1/d"]);
  });

  test("pipelined requests are decided one by one", async () => {
    const stream = await tlsTunnel(egress.address, "api.test", { ca: egress.ca });
    stream.write(["/v1/a", "/v2", "/v1/b"].map((path) => head("GET", path, "api.test")).join(""));
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await readAnswer(stream)).status);
    stream.destroy();
    expect(statuses).toEqual([200, 403, 200]);
    expect(upstream.requests.map((request) => request.path)).toEqual(["/v1/a", "/v1/b"]);
  });

  test("a request smuggled in a body stays a body", async () => {
    const stream = await tlsTunnel(egress.address, "api.test", { ca: egress.ca });
    const smuggled = head("GET", "/v2/secret", "api.test");
    expect((await ask(stream, head("POST", "/v1/a", "api.test", { "Content-Length": String(smuggled.length) }) + smuggled)).status).toBe(200);
    expect((await ask(stream, `${head("POST", "/v1/b", "api.test", { "Transfer-Encoding": "chunked" })}${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`)).status).toBe(200);
    stream.destroy();
    expect(upstream.requests.map((request) => request.path)).toEqual(["/v1/a", "/v1/b"]);
  });

  test("what a plain connection may do, a later CONNECT on it may not", async () => {
    const stream = await open(egress.address);
    expect((await ask(stream, head("GET", "http://docs.test/", "docs.test"))).status).toBe(200);
    const answer = await ask(stream, "CONNECT docs.test:443 HTTP/1.1\r\nHost: docs.test:443\r\n\r\n");
    expect({ status: answer.status, reason: answer.headers["x-bottle-refused"] }).toEqual({ status: 400, reason: "bad_request" });
    await closed(stream);
  });

  test("a missing token: 503 that says so, or no credential where it is optional", async () => {
    const body = expectRefusal(await opened("keyless.test", "GET", "/", { Authorization: "Bearer placeholder" }), "token_missing", 503);
    expect(body["message"]).toContain("`pulumi up` puts it back");
    expect((await opened("any.test", "GET", "/", { Authorization: "Bearer placeholder" })).status).toBe(200);
    expect(upstream.requests[0]!.headers["authorization"]).toBeUndefined();
  });

  test("pipelock's own refusal keeps its reason", async () => {
    expect(expectRefusal(await opened("blocked.test", "GET", "/x"), "upstream_refused")["message"]).toContain(BLOCKED);
  });

  test("a refused upload is answered at once, however large it says it is", async () => {
    const stream = await tlsTunnel(egress.address, "api.test", { ca: egress.ca });
    const started = Date.now();
    expectRefusal(await ask(stream, head("POST", "/v2", "api.test", { "Content-Length": "99999999999" })), "path_not_allowed");
    expect(Date.now() - started).toBeLessThan(1_000);
    stream.destroy();
  });

  test("its log has a line for each decision, without queries, tokens or what agents sent as such", async () => {
    const logs = await egress.logs();
    const text = JSON.stringify(logs);
    for (const hidden of ["real-key-of-the-llm", "placeholder", "token=1", "safe=off"]) expect(text).not.toContain(hidden);
    const refused = logs.find((line) => line["event"] === "decision" && line["reason"] === "host_not_allowed" && line["host"] === "evil.test");
    expect(refused).toMatchObject({ decision: "refuse", method: "GET", port: 443, path: "/secret", status: 403 });
    const allowed = logs.find((line) => line["path"] === "/v1/models" && line["decision"] === "allow");
    expect(allowed).toMatchObject({ rule: "llm", method: "GET", host: "api.test", status: 200 });
    expect(allowed!["received"]).toBeGreaterThan(100);
    expect(logs.filter((line) => line["event"] === "internal_error")).toEqual([]);
  });
});

/** The first bytes that Node's TLS sends. */
async function clientHello(servername: string): Promise<Buffer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = connectTls({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", servername });
  client.on("error", () => undefined);
  const [socket] = (await once(server, "connection")) as [Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  [client, socket].forEach((each) => each.destroy());
  server.close();
  return hello;
}

/** Adds an extension to a ClientHello in one record, and mends the lengths around it (RFC 8446 §4.1.2). */
function withExtension(hello: Buffer, kind: number, content: Buffer): Buffer {
  let at = 9 + 34;
  at += 1 + hello[at]!; // session id
  at += 2 + hello.readUInt16BE(at); // cipher suites
  at += 1 + hello[at]!; // compression methods
  const result = Buffer.concat([hello, Buffer.alloc(4), content]);
  const added = 4 + content.length;
  result.writeUInt16BE(kind, hello.length);
  result.writeUInt16BE(content.length, hello.length + 2);
  result.writeUInt16BE(hello.readUInt16BE(at) + added, at);
  result.writeUIntBE(hello.readUIntBE(6, 3) + added, 6, 3);
  result.writeUInt16BE(hello.readUInt16BE(3) + added, 3);
  return result;
}
