// The containers of a Compose project, as the engine has them.
import { run } from "../machine/run.ts";

/** What is read of `docker inspect`. */
export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Status: string; readonly StartedAt: string; readonly ExitCode: number; readonly Health?: { readonly Status: string } };
  readonly Config: { readonly Image: string; readonly User: string; readonly Env?: readonly string[]; readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: {
    readonly Memory: number;
    readonly NanoCpus: number;
    readonly PidsLimit: number | null;
    readonly CpuShares: number;
    readonly CpuQuota: number;
    readonly CpusetCpus: string;
    readonly RestartPolicy: { readonly Name: string };
    readonly ReadonlyRootfs: boolean;
    readonly Privileged: boolean;
    readonly CapAdd: readonly string[] | null;
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
  };
  readonly Mounts: readonly { readonly Type: string; readonly Name?: string; readonly Source: string; readonly Destination: string; readonly RW: boolean }[];
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAMConfig?: { readonly IPv4Address?: string } | null }>> };
}

/**
 * Two calls of the Docker CLI, about 0.1 s.
 *
 * @returns undefined where the engine does not answer.
 */
export async function lookAtContainers(project: string, env: NodeJS.ProcessEnv = process.env): Promise<Inspected[] | undefined> {
  const filters = [`label=com.docker.compose.project=${project}`, "label=com.docker.compose.oneoff=False"];
  const { code, stdout } = await run("docker", ["ps", "--all", "--quiet", "--no-trunc", ...filters.flatMap((filter) => ["--filter", filter])], { env, timeout: 20_000 });
  if (code !== 0) return undefined;
  const ids = stdout.split("\n").filter(Boolean);
  // One that went meanwhile is not in the answer.
  return ids.length === 0 ? [] : (JSON.parse((await run("docker", ["inspect", ...ids], { env, timeout: 20_000 })).stdout || "[]") as Inspected[]);
}
