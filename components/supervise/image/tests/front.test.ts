// The HTTP side against a client that means harm.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingHttpHeaders, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { createFront } from "../src/front.ts";
import { limits } from "../src/limits.ts";

let server: Server;
let port: number;
let handled: unknown[] = [];

before(async () => {
  server = createFront(async (_, response, body) => {
    handled.push(body);
    response.end("handled");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const usual = { host: "supervise:8090", "content-type": "application/json" };

function ask(options: { method?: string; path?: string; headers?: Record<string, string>; body?: string | Buffer }): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", method: options.method ?? "POST", path: options.path ?? "/mcp", headers: { ...usual, ...options.headers }, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    });
    sent.on("error", reject);
    sent.end(options.body ?? "{}");
  });
}

const cases: [string, Parameters<typeof ask>[0], number][] = [
  ["another Host (DNS rebinding)", { headers: { host: "evil.example.com:8090" } }, 403],
  ["an address as Host", { headers: { host: "10.0.0.5:8090" } }, 403],
  ["a page's Origin", { headers: { origin: "http://evil.example.com" } }, 403],
  ["the Origin null", { headers: { origin: "null" } }, 403],
  ["another path", { path: "/mcp/../x" }, 404],
  ["a query", { path: "/mcp?x=1" }, 404],
  ["GET: no stream of its own accord", { method: "GET", body: "" }, 405],
  ["DELETE: no session to end", { method: "DELETE", body: "" }, 405],
  ["a form, as a page could send it", { headers: { "content-type": "application/x-www-form-urlencoded" } }, 415],
  ["plain text, as a page could send it", { headers: { "content-type": "text/plain" } }, 415],
  ["a compressed body", { headers: { "content-encoding": "gzip" } }, 415],
  ["a body that is too long", { body: JSON.stringify({ x: "x".repeat(limits.body) }) }, 413],
  ["no JSON", { body: "{" }, 400],
  ["a batch", { body: "[{}]" }, 400],
  ["no UTF-8", { body: Buffer.from([0x22, 0xff, 0x22]) }, 400],
  ["a list nested without end", { body: "[".repeat(limits.body - 1) }, 400],
];
for (const [name, options, status] of cases) {
  test(`refused: ${name}`, async () => {
    handled = [];
    const answer = await ask(options);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.connection, "close");
    assert.deepEqual(handled, []);
  });
}

test("two Hosts are not answered, whichever comes first", async () => {
  for (const second of ["supervise:8090", "evil.example.com"]) {
    const socket = connect(port, "127.0.0.1");
    socket.end(`POST /mcp HTTP/1.1\r\nHost: supervise:8090\r\nHost: ${second}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`);
    const [data] = (await once(socket, "data")) as [Buffer];
    assert.match(data.toString(), /^HTTP\/1\.1 400 /);
    socket.destroy();
  }
});

test("a chunked body is cut off at the limit", async () => {
  const socket = connect(port, "127.0.0.1");
  socket.write("POST /mcp HTTP/1.1\r\nHost: supervise:8090\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  const chunk = `1000\r\n${"x".repeat(0x1000)}\r\n`;
  let answer = "";
  socket.on("data", (data) => (answer += data.toString()));
  socket.on("error", () => {});
  const closed = once(socket, "close");
  for (let n = 0; n < 10 && !answer; n++) {
    socket.write(chunk);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await closed;
  assert.match(answer, /^HTTP\/1\.1 413 /);
});

test("a head that is too long, or never ends, is cut off", async () => {
  const long = connect(port, "127.0.0.1");
  long.on("error", () => {});
  long.write(`POST /mcp HTTP/1.1\r\nX: ${"x".repeat(limits.head * 2)}\r\n\r\n`);
  const slow = connect(port, "127.0.0.1");
  slow.on("error", () => {});
  slow.write("POST /mcp HTTP/1.1\r\nHost: ");
  const started = Date.now();
  long.resume();
  slow.resume();
  await Promise.all([once(long, "close"), once(slow, "close")]);
  assert.ok(Date.now() - started < limits.headTime + 4_000);
});

test("what is right is handed on, and healthz answers whoever asks", async () => {
  handled = [];
  assert.equal((await ask({ headers: { origin: "http://supervise:8090" }, body: '{"a":1}' })).body, "handled");
  assert.deepEqual(handled, [{ a: 1 }]);
  assert.equal((await ask({ method: "GET", path: "/healthz", headers: { host: "x" }, body: "" })).status, 204);
});

test("more than its rate is told to slow down, and health still answers", async () => {
  const answers = await Promise.all(Array.from({ length: limits.burst + 20 }, () => ask({}).then(({ status }) => status, () => 0)));
  assert.ok(answers.includes(429));
  assert.equal((await ask({ method: "GET", path: "/healthz", body: "" })).status, 204);
});
