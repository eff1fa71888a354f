// What lies outside a bottle and would tell of having been reached: a web server under many names, and a listener for
// TCP and UDP on all addresses of this machine.
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { startUpstream, type SeenRequest, type Upstream } from "../lib/upstream.ts";

/** Host names of the web server, by what a bottle's manifest says of them. */
export const names = {
  /** Allowed as a whole, inspected by pipelock. */
  docs: "docs.contain.test",
  /** Allowed as a whole, passed through: tunnelled. */
  files: "files.contain.test",
  /** Under an allowed wildcard, passed through. */
  wild: "any.wild.contain.test",
  /** The wildcard's own apex: not allowed. */
  apex: "wild.contain.test",
  /** A route: GET and POST to /v1/**, passed through, with a credential. */
  api: "api.contain.test",
  /** A route: GET to /repos/org/*, inspected. */
  repo: "repo.contain.test",
  /** Claude's API, which the preset's own route allows. */
  claude: "api.anthropic.com",
  /** Not allowed. */
  unlisted: "unlisted.contain.test",
  /** Not allowed, made to look like docs. */
  suffixed: "docs.contain.test.unlisted.test",
  prefixed: "evildocs.contain.test",
} as const;

/** Names that attempts make resolve to places of the bottle's and the host's own: a route on the listener's port. */
export const rebindPattern = "*.rebind.contain.test";

export interface Outside {
  readonly upstream: Upstream;
  /** Port of the listener, TCP and UDP. */
  readonly port: number;
  /** IPv4 addresses of this machine, loopback left out, as they are now. */
  hostAddresses(): string[];
  /** Where a marker has arrived; undefined: nowhere. */
  saw(marker: string): string | undefined;
  /** Requests that the web server got with a marker in their path. */
  requests(marker: string): SeenRequest[];
  close(): Promise<void>;
}

const GREETING = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nreached\n";

/** Starts both. The web server's certificate has all {@link names}. */
export async function startOutside(): Promise<Outside> {
  const upstream = await startUpstream({ names: [...Object.values(names), "*.wild.contain.test", "*.rebind.contain.test"] });
  const heard: { where: string; text: string }[] = [];
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    const entry = { where: `TCP from ${socket.remoteAddress}`, text: "" };
    heard.push(entry);
    socket.on("data", (data) => {
      entry.text += data.toString("latin1").slice(0, 4096);
      socket.write(GREETING);
    });
  });
  await new Promise<void>((resolve, reject) => tcp.once("error", reject).listen(0, "0.0.0.0", resolve));
  const { port } = tcp.address() as AddressInfo;
  const udp = await listenUdp(port, (text, from) => heard.push({ where: `UDP from ${from}`, text }));
  const requests = (marker: string) => upstream.requests.filter((request) => JSON.stringify([request.path, request.headers]).includes(marker));
  return {
    upstream,
    port,
    hostAddresses: () => Object.values(networkInterfaces()).flatMap((all) => (all ?? []).filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address)),
    saw(marker) {
      const request = requests(marker)[0];
      if (request) return `the web server: ${request.method} ${request.path} for ${request.headers["host"]}`;
      return heard.find(({ text }) => text.includes(marker))?.where;
    },
    requests,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([new Promise((resolve) => tcp.close(resolve)), new Promise<void>((resolve) => udp.close(() => resolve())), upstream.close()]);
    },
  };
}

async function listenUdp(port: number, heard: (text: string, from: string) => void): Promise<UdpSocket> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, "0.0.0.0", resolve);
  });
  return socket.on("message", (data, { address, port: from }) => {
    heard(data.toString("latin1"), address);
    socket.send("reached", from, address);
  });
}
