// What the supervise container needs.
import { health, type ServiceSpec } from "../service-spec.ts";
import type { StateFolder } from "../state-folder.ts";
import type { NetworkRole, Subnet } from "../subnets.ts";
import { SUPERVISE_NAME, supervisePaths } from "./config.ts";

export interface SuperviseServiceInput {
  readonly image: string;
  /** `uid:gid` that owns its files. */
  readonly user: string;
  readonly folder: StateFolder;
  readonly subnets: Record<NetworkRole, Subnet>;
}

/**
 * supervise is on the agent's network alone and writes into one folder. It sees what egress and
 * git-gate log and are told: no key, no token.
 */
export function superviseService({ image, user, folder, subnets }: SuperviseServiceInput): ServiceSpec {
  const seen = (source: string, target: string) => ({ kind: "bind", source, target, readOnly: true }) as const;
  return {
    name: SUPERVISE_NAME,
    image,
    user,
    environment: {},
    networks: { internal: { address: subnets.internal.addresses[SUPERVISE_NAME]! } },
    hosts: {},
    mounts: [
      { kind: "bind", source: folder.supervise.requests, target: supervisePaths.requests, readOnly: false },
      seen(folder.supervise.answers, supervisePaths.answers),
      seen(folder.egress.rules, supervisePaths.rules),
      seen(folder.gitGate.config, supervisePaths.gate),
      seen(folder.egress.evidence, supervisePaths.egressLog),
      seen(folder.gitGate.evidence, supervisePaths.gateLog),
    ],
    tmpfs: { "/tmp": "size=4m,mode=1777" },
    limits: { cpus: 0.5, memory: "192m", pids: 32 },
    health: health(["/opt/supervise/bin/healthcheck"]),
    readOnlyRoot: true,
    capabilities: [],
    dependsOn: [],
  };
}
