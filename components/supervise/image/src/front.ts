// The HTTP side: lets through to MCP what is small, rare and well-formed enough. The agent is the only
// one who can reach it, and may send anything.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { SUPERVISE_NAME, SUPERVISE_PORT } from "../../config.ts";
import { limits } from "./limits.ts";
import { log } from "./log.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse, body: unknown) => Promise<void>;

/** Names under which it is asked; another one means that a name was made to point here (DNS rebinding). */
const hosts = new Set([SUPERVISE_NAME, "localhost", "127.0.0.1"].flatMap((name) => [name, `${name}:${SUPERVISE_PORT}`]));
const ORIGIN = `http://${SUPERVISE_NAME}:${SUPERVISE_PORT}`;

/** Why a request goes no further. */
interface Fault {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param handle answers POSTs of /mcp; their bodies are JSON objects. */
export function createFront(handle: Handler): Server {
  let working = 0;
  const bucket = tokenBucket(limits.rate, limits.burst);
  const server = createServer(
    {
      maxHeaderSize: limits.head,
      headersTimeout: limits.headTime,
      requestTimeout: limits.requestTime,
      keepAliveTimeout: limits.idleTime,
      connectionsCheckingInterval: 1_000,
    },
    async (request, response) => {
      response.on("error", () => {});
      if (request.method === "GET" && request.url === "/healthz") {
        response.writeHead(204).end();
        return;
      }
      const fault = headFault(request) ?? (bucket() ? undefined : { status: 429, message: "too many requests; slow down", headers: { "retry-after": "1" } });
      if (fault) return refuse(response, fault);
      if (working >= limits.working) return refuse(response, { status: 503, message: "too many requests at work", headers: { "retry-after": "1" } });
      working++;
      try {
        const body = await readBody(request);
        if ("fault" in body) return refuse(response, body.fault);
        await handle(request, response, body.value);
      } catch (error) {
        log("request_failed", { error: (error as Error).name });
        if (response.headersSent) response.destroy();
        else refuse(response, { status: 500, message: "supervise failed" });
      } finally {
        working--;
      }
    },
  );
  server.maxConnections = limits.connections;
  server.maxHeadersCount = 64;
  // The agent's connections are cut off without an answer where they are no HTTP.
  server.on("clientError", (_, socket) => socket.destroy());
  server.on("connect", (_, socket) => socket.destroy());
  return server;
}

function headFault({ method, url, headers, headersDistinct }: IncomingMessage): Fault | undefined {
  // Node shows the first of several (RFC 9112 §3.2 wants one).
  if (headersDistinct["host"]?.length !== 1) return { status: 400, message: "exactly one Host is needed" };
  if (!hosts.has(headers.host ?? "")) return { status: 403, message: `this is ${SUPERVISE_NAME}:${SUPERVISE_PORT}; another Host is not answered` };
  if (headers.origin !== undefined && headers.origin !== ORIGIN) return { status: 403, message: "another Origin is not answered" };
  if (url !== "/mcp") return { status: 404, message: "there is /mcp and nothing else" };
  // No stream of its own accord, and no sessions to end.
  if (method !== "POST") return { status: 405, message: "only POST", headers: { allow: "POST" } };
  if (!/^application\/json(?:\s*;|$)/i.test(headers["content-type"] ?? "")) return { status: 415, message: "a body of application/json is needed" };
  if (headers["content-encoding"] !== undefined) return { status: 415, message: "the body must not be compressed" };
  if (Number(headers["content-length"] ?? 0) > limits.body) return tooLarge;
  return undefined;
}

const tooLarge: Fault = { status: 413, message: `the body is over ${limits.body} bytes` };

async function readBody(request: IncomingMessage): Promise<{ readonly value: unknown } | { readonly fault: Fault }> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // A body that is cut off must leave the socket to the answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limits.body) return { fault: tooLarge };
      chunks.push(chunk);
    }
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
    // Batches are no part of MCP any more; one POST would be many calls.
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { value };
  } catch {
    // told below
  }
  return { fault: { status: 400, message: "the body is not one JSON-RPC message" } };
}

/** Nothing the agent wrote comes back; its connection ends, with whatever it still sends. */
function refuse(response: ServerResponse, { status, message, headers }: Fault): void {
  if (response.destroyed) return;
  const body = JSON.stringify({ jsonrpc: "2.0", error: { code: status === 400 ? -32700 : -32000, message }, id: null });
  response.writeHead(status, { "content-type": "application/json", connection: "close", ...headers });
  response.end(body);
}

/** @returns whether one more may pass now. */
function tokenBucket(rate: number, burst: number): () => boolean {
  let tokens: number = burst;
  let at = performance.now();
  return () => {
    const now = performance.now();
    tokens = Math.min(burst, tokens + ((now - at) / 1000) * rate);
    at = now;
    if (tokens < 1) return false;
    tokens--;
    return true;
  };
}
