import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { TLSSocket } from "node:tls";
import { makeCertificates } from "./certificates.ts";
import { echoWebSocket } from "./websocket.ts";

/** One request as it reached the upstream. */
export interface SeenRequest {
  method: string;
  /** Path and query as sent. */
  path: string;
  headers: Record<string, string | string[] | undefined>;
  /** The name in TLS's SNI; undefined on plain HTTP, false if the client sent none. */
  servername?: string | false;
  /** Milliseconds since the epoch. */
  at: number;
}

/**
 * A server for tests, on this machine, answering on plain HTTP and on TLS alike:
 * - `/bytes?n=N[&chunked=1]`: N bytes; without a length if chunked
 * - `/sse?n=N&interval=MS`: N server-sent events, the data of each `{"n":0,"at":<ms since the epoch>}`
 * - `/sink`: takes an upload, answers `{"bytes":N}`
 * - `/ws`: a WebSocket that sends every message back
 * - `/status?code=N[&location=URL]`: that status
 * - everything else: JSON of the request, an {@link Echo}
 */
export interface Upstream {
  /** TCP ports on all of this machine's addresses. */
  httpPort: number;
  httpsPort: number;
  /** PEM of the authority that signed the TLS certificate. */
  ca: string;
  /** Every request so far, the oldest first. */
  requests: SeenRequest[];
  /** TCP connections accepted so far, both ports together. */
  connections(): number;
  close(): Promise<void>;
}

/** What the upstream answers where it has nothing else to do. */
export interface Echo extends SeenRequest {
  bodyBytes: number;
  bodySha256: string;
}

/**
 * Starts an upstream.
 * @param options.names DNS names and IP addresses for its certificate, beside localhost and 127.0.0.1
 * @param options.host address to listen on; all of them by default, since containers come in by a bridge's gateway
 */
export async function startUpstream(options: { names?: readonly string[]; host?: string } = {}): Promise<Upstream> {
  const { ca, key, certificate } = await makeCertificates(["localhost", "127.0.0.1", ...(options.names ?? [])]);
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const seen = describe(request);
    requests.push(seen);
    // A client that goes away in the middle is no fault of the server's.
    answer(seen, request, response).catch(() => response.destroy());
  };
  const servers: Server[] = [createServer(listener), createTlsServer({ key, cert: certificate }, listener)];
  for (const server of servers) {
    server.keepAliveTimeout = 60_000;
    server.on("connection", (socket: Socket) => {
      connections++;
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy());
    });
    server.on("upgrade", (request: IncomingMessage, socket, head) => {
      requests.push(describe(request));
      echoWebSocket(request, socket, head);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, options.host ?? "0.0.0.0", resolve);
    });
  }
  const [httpPort, httpsPort] = servers.map((server) => (server.address() as AddressInfo).port) as [number, number];
  return {
    httpPort,
    httpsPort,
    ca,
    requests,
    connections: () => connections,
    async close() {
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}

function describe(request: IncomingMessage): SeenRequest {
  const socket = request.socket as TLSSocket;
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers: request.headers,
    ...(socket.encrypted ? { servername: (socket as { servername?: string | false }).servername } : {}),
    at: Date.now(),
  };
}

async function answer(seen: SeenRequest, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(seen.path, "http://upstream.invalid");
  const number = (name: string, otherwise: number): number => Number(url.searchParams.get(name) ?? otherwise);
  switch (url.pathname) {
    case "/bytes":
      return sendBytes(response, number("n", 1024), url.searchParams.has("chunked"));
    case "/sse":
      return sendEvents(response, number("n", 5), number("interval", 200));
    case "/sink": {
      let bytes = 0;
      for await (const chunk of request) bytes += (chunk as Buffer).length;
      return sendJson(response, { bytes });
    }
    case "/status":
      request.resume();
      response.writeHead(number("code", 200), url.searchParams.has("location") ? { location: url.searchParams.get("location")! } : {}).end();
      return;
    default: {
      const hash = createHash("sha256");
      let bodyBytes = 0;
      for await (const chunk of request) {
        bodyBytes += (chunk as Buffer).length;
        hash.update(chunk as Buffer);
      }
      return sendJson(response, { ...seen, bodyBytes, bodySha256: hash.digest("hex") } satisfies Echo);
    }
  }
}

function sendJson(response: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
}

async function sendBytes(response: ServerResponse, count: number, chunked: boolean): Promise<void> {
  response.writeHead(200, { "content-type": "application/octet-stream", ...(chunked ? {} : { "content-length": count }) });
  const block = Buffer.alloc(64 * 1024, "bottle ");
  function* blocks(): Generator<Buffer> {
    for (let left = count; left > 0; left -= block.length) yield left < block.length ? block.subarray(0, left) : block;
  }
  await pipeline(Readable.from(blocks()), response);
}

async function sendEvents(response: ServerResponse, count: number, interval: number): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  for (let n = 0; n < count && !response.destroyed; n++) {
    if (n > 0) await new Promise((resolve) => setTimeout(resolve, interval));
    response.write(`data: ${JSON.stringify({ n, at: Date.now() })}\n\n`);
  }
  response.end();
}
