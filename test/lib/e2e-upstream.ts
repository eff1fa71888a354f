// A server with a name of its own on a bottle's egress network, as the internet would have it.
import { connect } from "node:net";
import { BASE_IMAGE } from "../../components/manifest/schema.ts";
import { labelled, removeLabelled } from "./cleanup.ts";
import type { Stack } from "./e2e-project.ts";
import { ok, uniqueName, until } from "./run.ts";
import type { Upstream } from "./upstream.ts";

/** Ports that {@link nameUpstream} answers on: the usual ones, TLS on 8443 too. */
const TLS_PORTS = [443, 8443];
const PLAIN_PORTS = [80];

/** Passes TCP connections on, unread. Arguments: host, JSON of [port, port at that host] pairs. */
const forwarder = `
const net = require("node:net");
const [host, ports] = process.argv.slice(1);
for (const [port, target] of JSON.parse(ports)) {
  net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const server = net.connect({ host, port: target, allowHalfOpen: true, noDelay: true });
    client.pipe(server).pipe(client);
    client.on("error", () => server.destroy());
    server.on("error", () => client.destroy());
  }).listen(port);
}`;

export interface NamedUpstream {
  container: string;
  address: string;
  remove(): Promise<void>;
}

/**
 * Makes an upstream on this machine answer to host names on a stack's egress network. pipelock resolves them by Docker's
 * own DNS, to a container that passes connections on to this machine. The Node that runs the tests is lent to it.
 *
 * @param names host names; the upstream's certificate must have them
 */
export async function nameUpstream(stack: Pick<Stack, "identity">, upstream: Upstream, names: readonly string[]): Promise<NamedUpstream> {
  const network = `${stack.identity.composeProject}-egress`;
  const gateway = await ok("docker", ["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network]);
  const [first, last] = [gateway.slice(0, gateway.lastIndexOf(".")), Number(gateway.slice(gateway.lastIndexOf(".") + 1))];
  // Past the places that bottle gives to its own services.
  const address = `${first}.${last + 9}`;
  const owner = uniqueName("e2e-upstream");
  const ports = JSON.stringify([...TLS_PORTS.map((port) => [port, upstream.httpsPort]), ...PLAIN_PORTS.map((port) => [port, upstream.httpPort])]);
  await ok("docker", [
    ...["run", "--detach", "--init", "--name", owner, ...labelled(owner), "--user", "1000", "--network", network, "--ip", address],
    ...names.flatMap((name) => ["--network-alias", name]),
    ...["--volume", `${process.execPath}:/node:ro`, BASE_IMAGE, "/node", "-e", forwarder, gateway, ports],
  ]);
  try {
    await until(`${owner} listens`, () => listens(address, TLS_PORTS[0]!), 10_000);
  } catch (error) {
    await removeLabelled(owner);
    throw error;
  }
  return { container: owner, address, remove: () => removeLabelled(owner) };
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answer: boolean): void => (socket.destroy(), resolve(answer));
    socket.once("connect", () => finish(true)).once("error", () => finish(false));
    socket.setTimeout(2_000, () => finish(false));
  });
}
