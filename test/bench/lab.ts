// The upstream and the clients of the proxy figures: containers beside a bottle's own, on its networks.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROXY_NAME, PROXY_PORT } from "../../components/egress/service.ts";
import { labelled } from "../lib/cleanup.ts";
import { ok, until } from "../lib/run.ts";
import { usage } from "./engine-api.ts";
import { attempt, timed } from "./processes.ts";
import { hosts, type Scratch } from "./scratch.ts";
import type { Answers, Measure, MeasureOf, Way } from "./traffic/measures.ts";

const IMAGE = "debian:trixie-slim";
/** Host numbers within a network's /28 that no service of a bottle has. */
const places = { upstream: 10, near: 11, inside: 12 } as const;

export class Lab {
  readonly #scratch: Scratch;

  private constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  /** Starts an upstream and a near client on the egress network, and a client like the agent on the internal one. */
  static async start(scratch: Scratch): Promise<Lab> {
    const lab = new Lab(scratch);
    const { folder, identity, subnets, state } = scratch;
    cpSync(join(import.meta.dirname, "traffic"), join(folder, "traffic"), { recursive: true });
    writeFileSync(join(folder, "traffic/package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(join(folder, "tls/agent.pem"), readFileSync(join(state, "agent/ca/ca-certificates.crt")));
    const network = (role: "internal" | "egress", place: number) => ["--network", `${identity.composeProject}-${role}`, "--ip", subnets[role].cidr.replace(/\d+\/\d+$/, (end) => String(Number.parseInt(end, 10) + place))];
    const aliases = Object.values(hosts).flatMap((host) => ["--network-alias", host]);
    await lab.#run("upstream", [...network("egress", places.upstream), ...aliases], ["/node", "/bench/traffic/server.ts"]);
    await lab.#run("near", network("egress", places.near), ["sleep", "infinity"]);
    await lab.#run("inside", [...network("internal", places.inside), "--add-host", `${PROXY_NAME}:${subnets.internal.addresses["proxy"]!}`], ["sleep", "infinity"]);
    await until("the bench's upstream", async () => (await attempt("docker", lab.#exec("near"), { input: question(direct, { kind: "new", count: 1 }) })).code === 0);
    return lab;
  }

  /** Takes one measure on one way. @throws Error where the client fails */
  async ask<Kind extends Measure["kind"]>(way: Way, measure: MeasureOf<Kind>): Promise<Answers[Kind]> {
    const client = way.proxy === undefined ? "near" : "inside";
    const { stdout } = await timed("docker", this.#exec(client), { input: question(way, measure), timeout: 120 });
    return JSON.parse(stdout) as Answers[Kind];
  }

  /** CPU seconds that egress and pipelock have used so far. */
  async proxyCpu(): Promise<number> {
    const each = await Promise.all(["egress", "pipelock"].map((service) => usage(this.#scratch.container(service))));
    return each.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  }

  async stop(): Promise<void> {
    await timed("docker", ["rm", "--force", ...Object.keys(places).map((name) => this.#name(name))]);
  }

  #name(client: string): string {
    return `${this.#scratch.owner}-${client}`;
  }

  #exec(client: string): string[] {
    return ["exec", "--interactive", this.#name(client), "/node", "--disable-warning=ExperimentalWarning", "/bench/traffic/client.ts"];
  }

  async #run(name: string, network: readonly string[], command: readonly string[]): Promise<void> {
    const { folder, owner } = this.#scratch;
    await ok("docker", [
      ...["run", "--detach", "--init", "--name", this.#name(name), ...labelled(owner), ...network, "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"],
      ...["--sysctl", "net.ipv4.ip_unprivileged_port_start=0", "--user", "0:0", "--security-opt", "no-new-privileges:true"],
      ...["--volume", `${process.execPath}:/node:ro`, "--volume", `${join(folder, "traffic")}:/bench/traffic:ro`, "--volume", `${join(folder, "tls")}:/bench/tls:ro`],
      ...[IMAGE, ...command],
    ]);
  }
}

/** The way without any proxy, beside which the others stand. */
export const direct: Way = { host: hosts.tunnelled, caFile: "/bench/tls/ca.pem" };

/** The way that an agent's traffic takes to a host. */
export function throughChain(host: string): Way {
  return { host, proxy: `${PROXY_NAME}:${PROXY_PORT}`, caFile: "/bench/tls/agent.pem" };
}

function question(way: Way, measure: Measure): string {
  return JSON.stringify({ way, measure });
}
