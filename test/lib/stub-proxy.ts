// A CONNECT proxy in pipelock's place, which takes every name to one server of the test's.
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface StubProxy {
  readonly port: number;
  /** First line of every request so far. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** What becomes of a CONNECT: a port on this machine, an answer to give instead, or silence. */
export type Destination = { readonly port: number } | { readonly answer: string } | "silence";

/**
 * Starts one on all addresses of this machine (containers come in by a bridge's gateway).
 * @param destination called with host and port of a CONNECT; plain requests go to `plain`, a port on this machine
 */
export async function startStubProxy(destination: (host: string, port: number) => Destination, plain: number): Promise<StubProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    return socket;
  };
  const join = (client: Socket, port: number, first: Buffer, greeting: string): void => {
    const server = track(connect(port, "127.0.0.1"));
    server.on("connect", () => {
      client.write(greeting);
      server.write(first);
      client.pipe(server);
      server.pipe(client);
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  };
  const proxy = createServer((client) => {
    track(client);
    let head = Buffer.alloc(0);
    const read = (data: Buffer): void => {
      head = Buffer.concat([head, data]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      client.off("data", read);
      const line = head.subarray(0, head.indexOf("\r\n")).toString("latin1");
      asked.push(line);
      const [method, target] = line.split(" ") as [string, string];
      if (method !== "CONNECT") return join(client, plain, head, "");
      const [host, port] = target.split(":") as [string, string];
      const to = destination(host, Number(port));
      if (to === "silence") return;
      if ("answer" in to) client.end(to.answer);
      else join(client, to.port, head.subarray(end + 4), "HTTP/1.1 200 OK\r\n\r\n");
    };
    client.on("data", read);
  });
  await new Promise<void>((resolve, reject) => proxy.once("error", reject).listen(0, "0.0.0.0", resolve));
  return {
    port: (proxy.address() as AddressInfo).port,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
