// The bottles that the engine has, by the labels that everything of a bottle carries.
import { run } from "../../components/machine/run.ts";
import { UserError } from "../user-error.ts";

export interface EngineContainer {
  readonly id: string;
  readonly name: string;
  readonly service: string;
  readonly running: boolean;
  /** As Docker has it: running, exited, restarting… */
  readonly status: string;
  readonly health?: string;
  readonly startedAt: string;
  readonly exitCode: number;
}

export interface EngineBottle {
  readonly instance: string;
  readonly stack: string;
  readonly project: string;
  readonly composeProject?: string;
  /** `state/<slug>`, as the containers' own labels name it. */
  readonly folder?: string;
  readonly containers: readonly EngineContainer[];
  /** Networks, volumes and images. */
  readonly others: number;
}

type Labels = Record<string, string>;

/** @param env the environment that says which engine. */
export async function engineBottles(env: NodeJS.ProcessEnv): Promise<EngineBottle[]> {
  const [containers, networks, volumes, images] = await Promise.all([inspectContainers(env), labelsOf(env, "network"), labelsOf(env, "volume"), labelsOf(env, "image")]);
  const found = new Map<string, { labels: Labels; containers: EngineContainer[]; others: number }>();
  const at = (labels: Labels) => {
    const instance = labels["bottle.instance"]!;
    const entry = found.get(instance) ?? { labels: {}, containers: [], others: 0 };
    Object.assign(entry.labels, labels);
    found.set(instance, entry);
    return entry;
  };
  for (const labels of [...networks, ...volumes, ...images]) at(labels).others++;
  for (const { labels, container } of containers) at(labels).containers.push(container);
  return [...found].map(([instance, { labels, ...rest }]) => ({
    instance,
    stack: labels["bottle.stack"] ?? "",
    project: labels["bottle.project"] ?? "",
    composeProject: labels["com.docker.compose.project"],
    folder: labels["com.docker.compose.project.working_dir"],
    ...rest,
  }));
}

async function inspectContainers(env: NodeJS.ProcessEnv): Promise<{ labels: Labels; container: EngineContainer }[]> {
  const ids = (await docker(env, ["ps", "--all", "--quiet", "--no-trunc", "--filter", "label=bottle.instance"])).split("\n").filter(Boolean);
  if (ids.length === 0) return [];
  // One that goes meanwhile fails the whole call, but the others are printed.
  const { stdout } = await run("docker", ["inspect", ...ids], { env, timeout: 30_000 });
  type Inspected = { Id: string; Name: string; Config: { Labels: Labels }; State: { Status: string; Running: boolean; StartedAt: string; ExitCode: number; Health?: { Status: string } } };
  return (JSON.parse(stdout || "[]") as Inspected[]).map(({ Id, Name, Config: { Labels: labels }, State }) => ({
    labels,
    container: {
      id: Id,
      name: Name.slice(1),
      service: labels["com.docker.compose.service"] ?? Name.slice(1),
      running: State.Running,
      status: State.Status,
      health: State.Health?.Status,
      startedAt: State.StartedAt,
      exitCode: State.ExitCode,
    },
  }));
}

async function labelsOf(env: NodeJS.ProcessEnv, kind: "network" | "volume" | "image"): Promise<Labels[]> {
  const ids = [...new Set((await docker(env, [kind, "ls", "--quiet", "--filter", "label=bottle.instance"])).split("\n").filter(Boolean))];
  if (ids.length === 0) return [];
  const labels = kind === "image" ? ".Config.Labels" : ".Labels";
  const { stdout } = await run("docker", [kind, "inspect", "--format", `{{json ${labels}}}`, ...ids], { env, timeout: 30_000 });
  return stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line) as Labels);
}

/** Memory in use by container name, in bytes. */
export async function memory(env: NodeJS.ProcessEnv, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const { stdout } = await run("docker", ["stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.MemUsage}}", ...ids], { env, timeout: 30_000 });
  return new Map(stdout.split("\n").filter(Boolean).map((line) => [line.split(" ")[0]!, bytes(line.split(" ")[1] ?? "")]));
}

/** Docker's notation, such as 12.5MiB. */
export function bytes(text: string): number {
  const [, number, unit] = /^([\d.]+)\s*([kMGT]?i?B)/.exec(text) ?? [];
  const powers: Record<string, number> = { B: 0, KiB: 1, kB: 1, MiB: 2, MB: 2, GiB: 3, GB: 3, TiB: 4, TB: 4 };
  return number === undefined ? 0 : Math.round(Number(number) * 1024 ** (powers[unit!] ?? 0));
}

async function docker(env: NodeJS.ProcessEnv, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run("docker", args, { env, timeout: 30_000 });
  if (code !== 0) throw new UserError(`the Docker engine does not answer: ${stderr.trim().split("\n").at(-1)}`, "Start it, or set DOCKER_HOST or the Docker context to the one your bottles are on.");
  return stdout;
}
