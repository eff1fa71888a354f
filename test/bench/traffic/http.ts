// A small HTTP/1.1 client on TLS: cheap enough that it is not the client that is measured, and exact about what happened.
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";

/** Where requests go. */
export interface Target {
  /** Host name, as in the URL and the certificate. */
  readonly host: string;
  /** `host:port` of an HTTP proxy; undefined: directly, by DNS. */
  readonly proxy?: string;
  readonly secureContext: SecureContext;
}

export interface Reply {
  readonly status: number;
  /** Bytes of the body. */
  readonly bytes: number;
  /** First KB of the body. */
  readonly start: string;
  /** The server will close, or has closed, the connection. */
  readonly closes: boolean;
}

/** The parsed CA bundle: parsing 150 roots for each connection would cost more than the connection. */
export function trust(ca: string): SecureContext {
  return createSecureContext({ ca });
}

/** The connection failed before a whole response was there. `fresh`: before it had carried any response. */
export class ConnectionError extends Error {
  readonly fresh: boolean;
  constructor(message: string, fresh: boolean) {
    super(message);
    this.fresh = fresh;
  }
}

const TIMEOUT = 120_000;

/** One connection, one request at a time. */
export class Connection {
  readonly #socket: TLSSocket;
  #served = 0;
  #ended = false;
  #data: (chunk: Buffer) => void = () => {};
  #fail: (error: Error) => void = () => {};

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#data(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => {
      this.#ended = true;
      this.#fail(new Error("closed by the other side"));
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#fail(new Error("ended by the other side"));
    });
    socket.setTimeout(TIMEOUT, () => socket.destroy(new Error(`no answer within ${TIMEOUT} ms`)));
  }

  static async open(target: Target): Promise<Connection> {
    const tcp = target.proxy === undefined ? await tcpTo(target.host, 443) : await tunnel(target.proxy, target.host);
    const socket = connectTls({ socket: tcp, servername: target.host, secureContext: target.secureContext });
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", () => (socket.off("error", reject), resolve()));
      socket.once("error", reject);
      tcp.once("close", () => reject(new Error("closed during the TLS handshake")));
    });
    return new Connection(socket);
  }

  /** Whether another request may be sent. */
  get usable(): boolean {
    return !this.#ended;
  }

  close(): void {
    this.#fail = () => {};
    this.#socket.destroy();
  }

  /**
   * Sends a request and reads its response.
   * @param onBody called with each piece of the body as it comes
   * @throws ConnectionError
   */
  request(head: string, body?: Buffer | Iterable<Buffer>, onBody?: (chunk: Buffer) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const parser = new ResponseParser(onBody);
      this.#fail = (error) => reject(new ConnectionError(error.message, this.#served === 0));
      this.#data = (chunk) => {
        try {
          if (!parser.feed(chunk)) return;
        } catch (error) {
          return this.#fail(error as Error);
        }
        this.#served++;
        this.#fail = () => {};
        if (parser.closes) this.#ended = true;
        resolve({ status: parser.status, bytes: parser.bytes, start: parser.start, closes: parser.closes });
      };
      if (this.#ended) return this.#fail(new Error("closed by the other side"));
      if (body === undefined) this.#socket.write(head, "latin1");
      else void this.#upload(head, Buffer.isBuffer(body) ? [body] : body);
    });
  }

  async #upload(head: string, body: Iterable<Buffer>): Promise<void> {
    this.#socket.cork();
    this.#socket.write(head, "latin1");
    this.#socket.uncork();
    for (const chunk of body) {
      if (this.#socket.destroyed) return;
      if (!this.#socket.write(chunk)) await new Promise<void>((resolve) => (this.#socket.once("drain", resolve), this.#socket.once("close", resolve)));
    }
  }
}

/** Reads one response: Content-Length, chunked, or none of both for a status without a body. */
class ResponseParser {
  status = 0;
  bytes = 0;
  start = "";
  closes = false;
  #head: Buffer | undefined = Buffer.alloc(0);
  #left = 0;
  #chunked = false;
  #last = false;
  #rest = "";
  readonly #onBody: ((chunk: Buffer) => void) | undefined;

  constructor(onBody: ((chunk: Buffer) => void) | undefined) {
    this.#onBody = onBody;
  }

  /** @returns whether the response is complete. */
  feed(chunk: Buffer): boolean {
    if (this.#head === undefined) return this.#body(chunk);
    const all = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    const end = all.indexOf("\r\n\r\n");
    if (end < 0) {
      this.#head = all;
      return false;
    }
    this.#head = undefined;
    const head = all.toString("latin1", 0, end).toLowerCase();
    this.status = Number(head.slice(9, 12));
    this.closes = /\r\nconnection: *close/.test(head);
    this.#chunked = /\r\ntransfer-encoding: *chunked/.test(head);
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    if (!this.#chunked && length === undefined && this.status !== 204 && this.status !== 304) throw new Error(`a response ${this.status} without a length`);
    this.#left = Number(length ?? 0);
    return this.#body(all.subarray(end + 4));
  }

  #body(chunk: Buffer): boolean {
    if (this.#chunked) return this.#chunks(chunk);
    this.#take(chunk);
    this.#left -= chunk.length;
    return this.#left <= 0;
  }

  #chunks(data: Buffer): boolean {
    let at = 0;
    while (at < data.length) {
      if (this.#left > 0) {
        // Of the chunk's own bytes, the last two are its line's end.
        const piece = data.subarray(at, at + this.#left);
        this.#left -= piece.length;
        at += piece.length;
        this.#take(this.#left >= 2 ? piece : piece.subarray(0, Math.max(0, piece.length - (2 - this.#left))));
        continue;
      }
      const end = data.indexOf(10, at);
      if (end < 0) {
        this.#rest += data.toString("latin1", at);
        return false;
      }
      const line = (this.#rest + data.toString("latin1", at, end)).trim();
      this.#rest = "";
      at = end + 1;
      const size = Number.parseInt(line, 16);
      if (this.#last && line === "") return true;
      if (size === 0) this.#last = true;
      else if (size > 0) this.#left = size + 2;
      else if (line !== "") throw new Error(`a chunk of size "${line.slice(0, 20)}"`);
    }
    return false;
  }

  #take(chunk: Buffer): void {
    if (chunk.length === 0) return;
    if (this.start.length < 1024) this.start += chunk.toString("latin1", 0, 1024 - this.start.length);
    this.bytes += chunk.length;
    this.#onBody?.(chunk);
  }
}

function tcpTo(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true, family: 4 });
    socket.once("connect", () => (socket.off("error", reject), socket.on("error", () => {}), resolve(socket)));
    socket.once("error", reject);
  });
}

async function tunnel(proxy: string, host: string): Promise<Socket> {
  const [name, port] = proxy.split(":") as [string, string];
  const socket = await tcpTo(name, Number(port));
  socket.write(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`);
  return new Promise((resolve, reject) => {
    let head = "";
    const done = (error?: Error): void => {
      socket.removeAllListeners("data").off("close", closed);
      if (error) return void (socket.destroy(), reject(error));
      socket.pause();
      resolve(socket);
    };
    const closed = (): void => done(new Error("the proxy closed the connection on CONNECT"));
    socket.on("close", closed);
    socket.on("data", (chunk: Buffer) => {
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      const status = head.slice(9, 12);
      done(status === "200" ? undefined : new Error(`the proxy answered CONNECT with ${status}`));
    });
  });
}
