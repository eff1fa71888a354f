// What the pipelock container needs.
import { health, type ServiceSpec } from "../service-spec.ts";
import type { StateFolder } from "../state-folder.ts";
import type { NetworkRole, Subnet } from "../subnets.ts";
import { PIPELOCK_PORT, pipelockPaths } from "./config.ts";
import { EVIDENCE_LIMIT, liveEvidence } from "./evidence.ts";

export interface PipelockServiceInput {
  readonly image: string;
  /** `uid:gid` that owns its files. */
  readonly user: string;
  /** CPUs it may use. */
  readonly cpus: number;
  readonly folder: StateFolder;
  readonly subnets: Record<NetworkRole, Subnet>;
  /** Whether egress stands between the agent and pipelock; without it pipelock is the agent's proxy. */
  readonly behindEgress: boolean;
}

/** pipelock is on the egress network, and on transit behind egress, else on the agent's own. */
export function pipelockService(input: PipelockServiceInput): ServiceSpec {
  const { folder, subnets, behindEgress } = input;
  return {
    name: "pipelock",
    image: input.image,
    command: ["run", "--config", `${pipelockPaths.config}/pipelock.yaml`, "--listen", `0.0.0.0:${PIPELOCK_PORT}`],
    user: input.user,
    environment: { SSL_CERT_FILE: `${pipelockPaths.trust}/upstream.pem`, HOME: "/tmp" },
    networks: {
      ...(behindEgress
        ? { transit: { address: subnets.transit.addresses["pipelock"]! } }
        : { internal: { address: subnets.internal.addresses["proxy"]! } }),
      egress: { address: subnets.egress.addresses["pipelock"]! },
    },
    hosts: {},
    mounts: [
      { kind: "bind", source: folder.pipelock.config, target: pipelockPaths.config, readOnly: true },
      { kind: "bind", source: folder.pipelock.ca, target: pipelockPaths.ca, readOnly: true },
      { kind: "bind", source: folder.pipelock.trust, target: pipelockPaths.trust, readOnly: true },
      { kind: "bind", source: liveEvidence(folder.pipelock.evidence), target: pipelockPaths.evidence, readOnly: false },
    ],
    tmpfs: { "/tmp": "size=64m,mode=1777" },
    limits: { cpus: input.cpus, memory: "512m", pids: 256, fileSize: EVIDENCE_LIMIT },
    health: health(["/pipelock", "healthcheck", "--addr", `127.0.0.1:${PIPELOCK_PORT}`]),
    readOnlyRoot: true,
    capabilities: [],
    dependsOn: [],
  };
}
