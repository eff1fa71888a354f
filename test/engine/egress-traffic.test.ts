// What an agent's traffic feels of egress: streams, sizes, WebSockets, servers that fail, floods.
import { createServer as createTlsServer } from "node:tls";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeCertificates } from "../lib/certificates.ts";
import { startEgress, type EgressRig } from "../lib/egress-rig.ts";
import { describeWith } from "../lib/parts.ts";
import { ask, closed, head, open, readAnswer, tlsTunnel, tunnel } from "../lib/raw-client.ts";
import { ok } from "../lib/run.ts";
import { startStubProxy, type StubProxy } from "../lib/stub-proxy.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";
import { readFrame } from "../lib/websocket.ts";

const RULES = `
revision: "1"
hosts: [{host: raw.test}]
routes:
  - {name: api, host: api.test, websocket: true}
  - {name: flaky, host: flaky.test}
  - {name: impostor, host: impostor.test}
  - {name: refusing, host: refusing.test}
  - {name: gone, host: gone.test}
`;
const MB100 = 100 * 1024 * 1024;

describeWith(["engine", "base"], "egress's traffic", () => {
  let upstream: Upstream;
  let proxy: StubProxy;
  let egress: EgressRig;
  let flaky: Awaited<ReturnType<typeof startFlaky>>;

  beforeAll(async () => {
    upstream = await startUpstream({ names: ["api.test", "raw.test"] });
    flaky = await startFlaky();
    proxy = await startStubProxy((host, port) => {
      if (port === 80) return { port: upstream.httpPort };
      if (host === "flaky.test") return { port: flaky.port };
      if (host === "refusing.test") return { answer: "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 10\r\n\r\ntoo eager\n" };
      if (host === "gone.test") return { answer: "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 19\r\n\r\ntunnel dial failed\n" };
      return { port: upstream.httpsPort };
    }, upstream.httpPort);
    egress = await startEgress({ rules: RULES, trust: upstream.ca + flaky.ca, upstream: proxy.port });
  });
  afterAll(async () => {
    await egress?.close();
    await proxy?.close();
    await flaky?.close();
    await upstream?.close();
  });

  const opened = (host = "api.test") => tlsTunnel(egress.address, host, { ca: egress.ca });
  const raw = () => tlsTunnel(egress.address, "raw.test", { ca: upstream.ca });
  const ways = [["opened", "api.test", opened], ["tunnelled", "raw.test", raw]] as const;

  test.each(ways)("%s: each server-sent event comes within 100 ms", async (_, host, connect) => {
    const stream = await connect();
    stream.write(head("GET", "/sse?n=4&interval=250", host));
    const delays: number[] = [];
    let text = "";
    stream.on("data", (data: Buffer) => {
      text += data.toString();
      for (const [event, at] of text.matchAll(/data: \{"n":\d+,"at":(\d+)\}\n\n/g)) {
        delays.push(Date.now() - Number(at));
        text = text.replace(event, "");
      }
    });
    await expect.poll(() => delays.length, { timeout: 5_000 }).toBe(4);
    stream.destroy();
    expect(Math.max(...delays)).toBeLessThan(100);
  });

  test("a WebSocket echoes, small and large, and ends with its server", async () => {
    const stream = await opened();
    const upgrade = { Upgrade: "websocket", Connection: "keep-alive, Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "eHh4eHh4eHh4eHh4eHh4eA==" };
    expect((await ask(stream, head("GET", "/ws", "api.test", upgrade))).status).toBe(101);
    let received = Buffer.alloc(0);
    stream.on("data", (data: Buffer) => (received = Buffer.concat([received, data])));
    stream.resume();
    for (const size of [5, 60_000]) {
      received = Buffer.alloc(0);
      const started = Date.now();
      stream.write(maskedFrame(0x82, Buffer.alloc(size, "x")));
      await expect.poll(() => readFrame(received)?.payload.length, { interval: 5 }).toBe(size);
      expect(Date.now() - started).toBeLessThan(100);
    }
    const ended = closed(stream);
    stream.write(maskedFrame(0x88, Buffer.alloc(0)));
    await ended;
  });

  test.each(ways)("%s: 100 MB down and up, with bounded memory", async (_, host, connect) => {
    const stream = await connect();
    let bytes = 0;
    stream.on("data", (data: Buffer) => (bytes += data.length));
    stream.write(head("GET", `/bytes?n=${MB100}`, host));
    await expect.poll(() => bytes, { timeout: 60_000 }).toBeGreaterThan(MB100);
    stream.removeAllListeners("data").pause();
    stream.write(head("POST", "/sink", host, { "Content-Length": String(MB100) }));
    const answer = readAnswer(stream);
    stream.write(Buffer.alloc(MB100));
    expect(JSON.parse((await answer).body)).toEqual({ bytes: MB100 });
    stream.destroy();
    expect(await memory()).toBeLessThan(150);
  });

  test("chunked bodies, both ways", async () => {
    const stream = await opened();
    const chunk = "x".repeat(100_000);
    const request = `${head("POST", "/echo", "api.test", { "Transfer-Encoding": "chunked" })}${`${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(3)}0\r\nX-Trailer: dropped\r\n\r\n`;
    expect(JSON.parse((await ask(stream, request)).body)).toMatchObject({ bodyBytes: 300_000 });
    expect((await ask(stream, head("GET", "/bytes?n=200000&chunked=1", "api.test"))).body.length).toBe(200_000);
    stream.destroy();
  });

  test("Expect: 100-continue is answered", async () => {
    const stream = await opened();
    expect((await ask(stream, head("POST", "/echo", "api.test", { "Content-Length": "5", Expect: "100-continue" }))).status).toBe(100);
    expect((await ask(stream, "hello")).status).toBe(200);
    stream.destroy();
  });

  test("a slow reader is waited for: memory does not grow", async () => {
    const stream = await opened();
    stream.pause();
    stream.write(head("GET", `/bytes?n=${4 * MB100}`, "api.test"));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(await memory()).toBeLessThan(150);
    stream.destroy();
  });

  test("a request that a kept connection lost is sent again, if repeating it does no harm", async () => {
    const stream = await opened("flaky.test");
    expect((await ask(stream, head("GET", "/1", "flaky.test"))).status).toBe(200);
    expect((await ask(stream, head("GET", "/2", "flaky.test"))).status).toBe(200);
    expect((await ask(stream, `${head("PUT", "/3", "flaky.test", { "Content-Length": "5" })}hello`)).status).toBe(200);
    expect(flaky.seen).toEqual(["GET /1", "GET /2", "GET /2", "PUT /3", "PUT /3"]);
    flaky.seen.length = 0;
    const lost = await ask(stream, `${head("POST", "/4", "flaky.test", { "Content-Length": "5" })}hello`);
    expect({ status: lost.status, reason: lost.headers["x-bottle-refused"] }).toEqual({ status: 502, reason: "upstream_closed" });
    expect(flaky.seen).toEqual(["POST /4"]);
    stream.destroy();
  });

  test("a server that closes after each response costs no error", async () => {
    const stream = await opened("flaky.test");
    for (let n = 0; n < 10; n++) expect((await ask(stream, head("GET", "/close", "flaky.test"))).status).toBe(200);
    stream.destroy();
  });

  test.each([
    ["impostor.test", 502, "upstream_tls", "hostname mismatch"],
    ["refusing.test", 403, "upstream_refused", "too eager"],
    ["gone.test", 502, "upstream_unreachable", "tunnel dial failed"],
  ])("what goes wrong upstream is told: %s", async (host, status, reason, detail) => {
    for (const body of ["", "x".repeat(200_000)]) {
      const stream = await opened(host);
      const answer = await ask(stream, head("POST", "/x", host, { "Content-Length": String(body.length) }) + body);
      expect({ status: answer.status, reason: answer.headers["x-bottle-refused"] }).toEqual({ status, reason });
      expect((JSON.parse(answer.body) as { message: string }).message).toContain(detail);
      stream.destroy();
    }
  });

  test("no error under load, on kept and on new connections", async () => {
    const statuses: Record<number, number> = {};
    await Promise.all(
      Array.from({ length: 16 }, async (_, worker) => {
        let stream = await opened();
        for (let n = 0; n < 60; n++) {
          const { status } = await ask(stream, head("GET", "/x", "api.test"));
          statuses[status] = (statuses[status] ?? 0) + 1;
          if (worker % 2 === 0 && n % 10 === 9) {
            stream.destroy();
            stream = await opened();
          }
        }
        stream.destroy();
      }),
    );
    expect(statuses).toEqual({ 200: 960 });
  });

  test("a flood of connections is bounded, costs bounded memory, and passes", async () => {
    const flood = await Promise.all(Array.from({ length: 450 }, () => open(egress.address)));
    const refused = await open(egress.address);
    const answer = await ask(refused, head("GET", "http://raw.test/", "raw.test"));
    expect({ status: answer.status, reason: answer.headers["x-bottle-refused"] }).toEqual({ status: 503, reason: "too_many_connections" });
    [...flood, refused].forEach((socket) => socket.destroy());
    // Connections that are still being let go count for a moment; egress ends what comes beyond them at once.
    await expect.poll(async () => (await ask(await open(egress.address), head("GET", "http://raw.test/", "raw.test")).catch(() => undefined))?.status, { timeout: 5_000 }).toBe(200);
    const heads = await Promise.all(Array.from({ length: 100 }, () => open(egress.address)));
    heads.forEach((socket) => socket.write(`GET http://raw.test/${"x".repeat(2_000_000)}`));
    await Promise.all(heads.map((socket) => closed(socket)));
    const hellos = await Promise.all(Array.from({ length: 50 }, () => tunnel(egress.address, "raw.test:443")));
    hellos.forEach((socket) => socket.write(Buffer.concat([Buffer.from("1603014000", "hex"), Buffer.from([1, 0xff, 0xff, 0xff]), Buffer.alloc(16_380), Buffer.from("1603014000", "hex")])));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await memory()).toBeLessThan(200);
    hellos.forEach((socket) => socket.destroy());
    expect((await ask(await opened(), head("GET", "/x", "api.test"))).status).toBe(200);
  });

  test("nothing of all this was an internal error", async () => {
    expect((await egress.logs()).filter((line) => !["decision", "tunnel", "closed", "rules_loaded", "listening"].includes(line["event"] as string))).toEqual([]);
  });

  async function memory(): Promise<number> {
    const [, amount, unit] = /^([\d.]+)([MG]iB)/.exec(await ok("docker", ["stats", "--no-stream", "--format", "{{.MemUsage}}", egress.name])) ?? [];
    return Number(amount) * (unit === "GiB" ? 1024 : 1);
  }
});

/** A server that answers a connection's first request only, and closes on the second without a word. */
async function startFlaky(): Promise<{ port: number; ca: string; seen: string[]; close(): Promise<void> }> {
  const { ca, key, certificate } = await makeCertificates(["flaky.test"]);
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createTlsServer({ key, cert: certificate }, (socket) => {
    sockets.add(socket);
    let answered = false;
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (data: Buffer) => {
      const [method, path] = data.toString("latin1").split(" ") as [string, string];
      if (!/^[A-Z]+$/.test(method)) return; // a body that came by itself
      seen.push(`${method} ${path}`);
      if (answered) socket.destroy();
      else if (path === "/close") socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      answered = true;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    ca,
    seen,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A frame as clients send it. */
function maskedFrame(first: number, payload: Buffer): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const length = payload.length < 126 ? Buffer.from([0x80 | payload.length]) : Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([Buffer.from([first]), length, mask, payload.map((byte, index) => byte ^ mask[index % 4]!)]);
}
