// What the egress container needs.
import { health, type ServiceSpec } from "../service-spec.ts";
import type { StateFolder } from "../state-folder.ts";
import type { NetworkRole, Subnet } from "../subnets.ts";
import { PIPELOCK_PORT } from "../pipelock/config.ts";

/** Where egress finds its files inside its container; see image/README.md. */
export const egressPaths = {
  rules: "/etc/bottle/rules",
  ca: "/etc/bottle/ca",
  trust: "/etc/bottle/trust",
  tokens: "/run/tokens",
  status: "/run/egress/status.json",
  evidence: "/var/log/egress",
} as const;

/** The agent's proxy, under the same name and port through a bottle's whole life. */
export const PROXY_NAME = "proxy";
export const PROXY_PORT = 8080;

export interface EgressServiceInput {
  readonly image: string;
  /** `uid:gid` that owns its files. */
  readonly user: string;
  /** CPUs it may use. */
  readonly cpus: number;
  readonly folder: StateFolder;
  readonly subnets: Record<NetworkRole, Subnet>;
  /** Whether the agent may ask for more: refusals then say how. */
  readonly supervise: boolean;
  /** Host folder in memory that holds the tokens; undefined where the machine has none. */
  readonly tokenFolder?: string;
  /** Variables inherited by the container where there is no such folder. */
  readonly tokenVariables: readonly string[];
}

/** egress is on the agent's network and on transit: its only way on is pipelock. */
export function egressService(input: EgressServiceInput): ServiceSpec {
  const { folder, subnets, tokenFolder } = input;
  return {
    name: "egress",
    image: input.image,
    user: input.user,
    environment: {
      UPSTREAM_PROXY: `http://pipelock:${PIPELOCK_PORT}`,
      ...(input.supervise && { SUPERVISE: "1" }),
      ...(tokenFolder === undefined && Object.fromEntries(input.tokenVariables.map((name) => [name, null]))),
    },
    networks: {
      internal: { address: subnets.internal.addresses["proxy"]!, aliases: [PROXY_NAME] },
      transit: { address: subnets.transit.addresses["egress"]! },
    },
    hosts: { pipelock: subnets.transit.addresses["pipelock"]! },
    mounts: [
      { kind: "bind", source: folder.egress.rules, target: egressPaths.rules, readOnly: true },
      { kind: "bind", source: folder.egress.ca, target: egressPaths.ca, readOnly: true },
      { kind: "bind", source: folder.egress.trust, target: egressPaths.trust, readOnly: true },
      { kind: "bind", source: folder.egress.evidence, target: egressPaths.evidence, readOnly: false },
      ...(tokenFolder === undefined ? [] : [{ kind: "bind" as const, source: tokenFolder, target: egressPaths.tokens, readOnly: true }]),
    ],
    tmpfs: { "/tmp": "size=64m,mode=1777", "/run/egress": "size=1m,mode=1777" },
    limits: { cpus: input.cpus, memory: "512m", pids: 256 },
    health: health(["/opt/egress/bin/healthcheck"]),
    readOnlyRoot: true,
    capabilities: [],
    dependsOn: ["pipelock"],
  };
}
