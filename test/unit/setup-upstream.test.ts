import { createHash } from "node:crypto";
import { request } from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Echo, startUpstream, type Upstream } from "../lib/upstream.ts";

/** The upstream that other tests lean on must itself be right. */
let upstream: Upstream;
let http: string;
beforeAll(async () => {
  upstream = await startUpstream({ names: ["api.upstream.example"], host: "127.0.0.1" });
  http = `http://127.0.0.1:${upstream.httpPort}`;
});
afterAll(() => upstream.close());

describe("the test upstream", () => {
  test("echoes method, path, headers and a body's length and hash", async () => {
    const body = "x".repeat(300_000);
    const echo = (await (await fetch(`${http}/a%2Fb?q=1`, { method: "POST", body, headers: { "x-test": "yes" } })).json()) as Echo;
    expect(echo).toMatchObject({ method: "POST", path: "/a%2Fb?q=1", bodyBytes: body.length, bodySha256: createHash("sha256").update(body).digest("hex") });
    expect(echo.headers["x-test"]).toBe("yes");
    expect(upstream.requests.at(-1)).toMatchObject({ method: "POST", path: "/a%2Fb?q=1" });
  });

  test("answers over TLS under its names, and tells the SNI", async () => {
    const echo = await new Promise<Echo>((resolve, reject) => {
      const options = { host: "127.0.0.1", port: upstream.httpsPort, path: "/x", servername: "api.upstream.example", ca: upstream.ca };
      request(options, async (response) => resolve(JSON.parse(Buffer.concat(await response.toArray()).toString()) as Echo)).on("error", reject).end();
    });
    expect(echo).toMatchObject({ path: "/x", servername: "api.upstream.example" });
  });

  test("sends bytes with and without a length", async () => {
    const sized = await fetch(`${http}/bytes?n=200001`);
    expect(sized.headers.get("content-length")).toBe("200001");
    expect((await sized.arrayBuffer()).byteLength).toBe(200_001);
    const chunked = await fetch(`${http}/bytes?n=70000&chunked=1`);
    expect(chunked.headers.get("content-length")).toBeNull();
    expect((await chunked.arrayBuffer()).byteLength).toBe(70_000);
  });

  test("takes uploads", async () => {
    expect(await (await fetch(`${http}/sink`, { method: "PUT", body: Buffer.alloc(123_456) })).json()).toEqual({ bytes: 123_456 });
  });

  test("sends events one by one", async () => {
    const response = await fetch(`${http}/sse?n=3&interval=60`);
    const arrivals: { at: number; n: number }[] = [];
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      for (const line of chunk.matchAll(/^data: (.*)$/gm)) arrivals.push({ n: (JSON.parse(line[1]!) as { n: number }).n, at: Date.now() });
    }
    expect(arrivals.map(({ n }) => n)).toEqual([0, 1, 2]);
    expect(arrivals[2]!.at - arrivals[0]!.at).toBeGreaterThan(80);
  });

  test("echoes WebSocket messages, short, long and binary", async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${upstream.httpPort}/ws`);
    socket.binaryType = "arraybuffer";
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    const echo = async (message: string | Uint8Array<ArrayBuffer>) => {
      const answer = new Promise<MessageEvent>((resolve) => socket.addEventListener("message", resolve, { once: true }));
      socket.send(message);
      return (await answer).data as string | ArrayBuffer;
    };
    for (const text of ["hello", "m".repeat(1_000), "l".repeat(100_000)]) expect(await echo(text)).toBe(text);
    expect(new Uint8Array((await echo(Uint8Array.of(0, 255, 7))) as ArrayBuffer)).toEqual(Uint8Array.of(0, 255, 7));
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve, { once: true }));
    socket.close(1000);
    expect((await closed).code).toBe(1000);
  });

  test("answers with the status that is asked for", async () => {
    const response = await fetch(`${http}/status?code=302&location=/elsewhere`, { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([302, "/elsewhere"]);
  });

  test("counts connections: kept ones once", async () => {
    const before = upstream.connections();
    const agent = await import("node:http").then(({ Agent }) => new Agent({ keepAlive: true, maxSockets: 1 }));
    const { get } = await import("node:http");
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve, reject) => get(`${http}/x`, { agent }, (response) => response.resume().on("end", () => resolve())).on("error", reject));
    }
    agent.destroy();
    expect(upstream.connections() - before).toBe(1);
  });
});
