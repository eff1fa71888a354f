// A client that sends just the bytes it is told to, through a proxy or not: what well-behaved clients never send.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Opens a TCP connection. */
export async function open(address: string, port = 8080): Promise<Socket> {
  const socket = connect(port, address);
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Sends a CONNECT. @throws Error with the status if it is not granted */
export async function tunnel(address: string, target: string): Promise<Socket> {
  const socket = await open(address);
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  const head = await readUntil(socket, "\r\n\r\n");
  if (!head.startsWith("HTTP/1.1 200")) throw new Error(`CONNECT ${target}: ${head.split("\r\n")[0]}`);
  return socket;
}

/** TLS to `host` through the proxy. `servername` and other options as Node's; the certificate is verified by `host`. */
export async function tlsTunnel(address: string, host: string, options: ConnectionOptions & { port?: number } = {}): Promise<TLSSocket> {
  const { port = 443, ...rest } = options;
  return secure(await tunnel(address, `${host}:${port}`), host, rest);
}

/** TLS over an open connection. */
export async function secure(socket: Socket, host: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const stream = connectTls({ socket, servername: host, ...options });
  stream.on("error", () => stream.destroy());
  await new Promise<void>((resolve, reject) => {
    stream.once("secureConnect", resolve);
    stream.once("error", reject);
    stream.once("close", () => reject(new Error("closed during TLS")));
  });
  return stream;
}

/** Sends bytes and reads one whole response. */
export async function ask(stream: Socket, request: string | Buffer): Promise<Answer> {
  stream.write(request);
  return readAnswer(stream);
}

/** A request's head, with a Host header unless one is given. */
export function head(method: string, target: string, host: string, headers: Readonly<Record<string, string>> = {}): string {
  const fields = { ...("host" in headers || "Host" in headers ? {} : { Host: host }), ...headers };
  return `${method} ${target} HTTP/1.1\r\n${Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** Reads one response by its length, its chunks or its connection's end. */
export async function readAnswer(stream: Socket): Promise<Answer> {
  const text = await readUntil(stream, "\r\n\r\n");
  const [start = "", ...lines] = text.trimEnd().split("\r\n");
  const status = Number(start.split(" ")[1]);
  const headers = Object.fromEntries(lines.map((line) => [line.split(":", 1)[0]!.toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
  let body = "";
  if (status < 200 || status === 204 || status === 304) body = "";
  else if (headers["content-length"] !== undefined) body = await readBytes(stream, Number(headers["content-length"]));
  else if (headers["transfer-encoding"] === "chunked") {
    for (;;) {
      const size = parseInt(await readUntil(stream, "\r\n"), 16);
      body += (await readBytes(stream, size + 2)).slice(0, size);
      if (size === 0) break;
    }
  } else body = await readToEnd(stream);
  return { status, headers, body };
}

/** Resolves when the other side has ended the connection, to how long that took in ms. */
export async function closed(stream: Socket): Promise<number> {
  const started = Date.now();
  stream.resume();
  if (!stream.destroyed && !stream.readableEnded) await Promise.race([once(stream, "end").catch(() => undefined), once(stream, "close").catch(() => undefined)]);
  return Date.now() - started;
}

function take(stream: Socket, wanted: (data: Buffer) => number): Promise<string> {
  return new Promise((resolve, reject) => {
    let data = Buffer.alloc(0);
    const done = (action: () => void): void => {
      stream.off("data", read).off("end", end).off("close", end);
      stream.pause();
      action();
    };
    const end = (): void => done(() => (wanted(data) === Infinity ? resolve(data.toString("latin1")) : reject(new Error(`the connection ended after ${JSON.stringify(data.toString("latin1").slice(0, 200))}`))));
    const read = (more: Buffer): void => {
      data = Buffer.concat([data, more]);
      const length = wanted(data);
      if (length < 0 || length > data.length) return;
      done(() => {
        if (length < data.length) stream.unshift(data.subarray(length));
        resolve(data.subarray(0, length).toString("latin1"));
      });
    };
    if (wanted(data) === 0) return resolve("");
    if (stream.destroyed || stream.readableEnded) return end();
    stream.on("data", read).once("end", end).once("close", end);
    stream.resume();
  });
}

const readUntil = (stream: Socket, mark: string) => take(stream, (data) => (data.includes(mark) ? data.indexOf(mark) + mark.length : -1));
const readBytes = (stream: Socket, count: number) => take(stream, (data) => (data.length >= count ? count : data.length === 0 && count === 0 ? 0 : -1));
const readToEnd = (stream: Socket) => take(stream, () => Infinity);
