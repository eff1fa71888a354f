// The upstream of the proxy figures, run in a container: node server.ts. TLS on 443; key and certificate from /bench/tls.
// - GET  …/small       a 1 KB answer
// - GET  …/headers     names of the request's headers, a JSON array
// - GET  …/bytes?n=N   N bytes
// - GET  …/events?n=N  N server-sent events, 100 ms apart, the first 100 ms after the headers; data: when it was sent
// - POST any           takes the body, answers {"bytes":N}
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";

const small = Buffer.alloc(1024, "bottle ");
const block = Buffer.alloc(64 * 1024, "bottle ");

const server = createServer({ key: readFileSync("/bench/tls/server.key"), cert: readFileSync("/bench/tls/server.pem") }, (request, response) => {
  answer(request, response).catch(() => response.destroy());
});
server.keepAliveTimeout = 120_000;
server.listen(443, "0.0.0.0");
process.on("SIGTERM", () => process.exit(0));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "https://upstream.invalid");
  if (request.method === "POST") {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    sendJson(response, { bytes });
  } else if (url.pathname.endsWith("/headers")) {
    sendJson(response, Object.keys(request.headers));
  } else if (url.pathname.endsWith("/bytes")) {
    await sendBytes(response, Number(url.searchParams.get("n")));
  } else if (url.pathname.endsWith("/events")) {
    await sendEvents(response, Number(url.searchParams.get("n")));
  } else {
    response.writeHead(200, { "content-type": "text/plain", "content-length": small.length }).end(small);
  }
}

function sendJson(response: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
}

async function sendBytes(response: ServerResponse, count: number): Promise<void> {
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": count });
  for (let left = count; left > 0; left -= block.length) {
    if (!response.write(left < block.length ? block.subarray(0, left) : block)) {
      await new Promise<void>((resolve) => (response.once("drain", resolve), response.once("close", resolve)));
      if (response.destroyed) return;
    }
  }
  response.end();
}

async function sendEvents(response: ServerResponse, count: number): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.flushHeaders();
  for (let n = 0; n < count && !response.destroyed; n++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    response.write(`data: ${JSON.stringify({ n, at: performance.timeOrigin + performance.now() })}\n\n`);
  }
  response.end();
}
