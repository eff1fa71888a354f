// What the git-gate container needs.
import type { Git } from "../manifest/manifest.ts";
import { health, type Mount, type ServiceSpec } from "../service-spec.ts";
import type { StateFolder } from "../state-folder.ts";
import type { NetworkRole, Subnet } from "../subnets.ts";
import { GATE_NAME, gatePaths } from "./config.ts";

export interface GitGateServiceInput {
  readonly image: string;
  /** `uid:gid` that owns its files. */
  readonly user: string;
  /** CPUs it may use. */
  readonly cpus: number;
  readonly git: Git;
  readonly folder: StateFolder;
  readonly subnets: Record<NetworkRole, Subnet>;
  /** Host folder of its keys and tokens. */
  readonly secrets: string;
  /** Variables inherited by the container where the machine has no folder in memory. */
  readonly tokenVariables: readonly string[];
}

/** Key of the volume that holds the mirrors. */
export const MIRRORS = "git-mirrors";

/** git-gate is on the agent's network and on the egress network: upstreams do not go through pipelock. */
export function gitGateService(input: GitGateServiceInput): ServiceSpec {
  const { folder, git, subnets } = input;
  return {
    name: GATE_NAME,
    image: input.image,
    user: input.user,
    environment: Object.fromEntries(input.tokenVariables.map((name) => [name, null])),
    networks: {
      internal: { address: subnets.internal.addresses[GATE_NAME]! },
      egress: { address: subnets.egress.addresses[GATE_NAME]! },
    },
    hosts: {},
    mounts: [
      { kind: "bind", source: folder.gitGate.config, target: gatePaths.config, readOnly: true },
      { kind: "bind", source: folder.gitGate.trust, target: gatePaths.trust, readOnly: true },
      { kind: "bind", source: input.secrets, target: gatePaths.secrets, readOnly: true },
      { kind: "bind", source: folder.gitGate.evidence, target: gatePaths.evidence, readOnly: false },
      { kind: "volume", source: MIRRORS, target: gatePaths.mirrors, readOnly: false },
      ...git.upstreams.flatMap(({ name, url, push }): Mount[] =>
        url.transport === "file" ? [{ kind: "bind", source: filePath(url.text), target: `${gatePaths.upstreams}/${name}`, readOnly: push === undefined }] : [],
      ),
    ],
    tmpfs: { "/tmp": "size=64m,mode=1777", "/run/git-gate": "size=4m,mode=0700" },
    limits: { cpus: input.cpus, memory: git.limits.memory, pids: 256 },
    health: health(["/opt/git-gate/bin/healthcheck"]),
    readOnlyRoot: true,
    capabilities: [],
    dependsOn: [],
  };
}

function filePath(url: string): string {
  return url.replace(/^file:\/\//i, "");
}
