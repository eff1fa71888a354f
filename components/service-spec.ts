// What a service of a bottle needs, apart from how Docker Compose says it: another runtime
// (Kubernetes, say) would render the same specs its own way. Pure types.
import type { NetworkRole } from "./subnets.ts";

/** A file or directory of the host, or a named volume, seen by a service. */
export interface Mount {
  readonly kind: "bind" | "volume";
  /** Absolute host path, or the volume's key. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** When a service counts as healthy. Times in milliseconds. */
export interface Health {
  readonly command: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  /** While starting, ask this often, for at most `startPeriod`. */
  readonly startInterval: number;
  readonly startPeriod: number;
  readonly retries: number;
}

export interface Limits {
  readonly cpus: number;
  /** Docker's notation: 512m, 4g. */
  readonly memory: string;
  readonly pids: number;
  /** Bytes of any one file it writes. */
  readonly fileSize?: number;
}

export interface ServiceSpec {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  /** `uid:gid`. */
  readonly user: string;
  readonly workingDirectory?: string;
  /** null: the value is inherited from the shell that runs `up`, and is written nowhere. */
  readonly environment: Readonly<Record<string, string | null>>;
  readonly networks: Partial<Record<NetworkRole, { readonly address: string; readonly aliases?: readonly string[] }>>;
  /** Names resolved without DNS (gVisor does not reach Docker's resolver). */
  readonly hosts: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  /** tmpfs mounts: path to options. */
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly health?: Health;
  readonly readOnlyRoot: boolean;
  readonly capabilities: readonly string[];
  readonly runtime?: string;
  readonly dependsOn: readonly string[];
}

/** Ask 5 times a second while starting, then every 5 s: a bottle is healthy in about 3 s and idle afterwards. */
export function health(command: readonly string[]): Health {
  return { command, interval: 5_000, timeout: 3_000, startInterval: 200, startPeriod: 20_000, retries: 3 };
}
