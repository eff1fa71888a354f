// A bottle as the Docker engine has it, found by label and by Compose's own names; nothing of the bottle's state is read.
import { randomInt } from "node:crypto";
import { ok, run } from "./run.ts";

/** A service's container. */
export interface Container {
  id: string;
  name: string;
  service: string;
  image: string;
  startedAt: string;
  running: boolean;
  health?: string;
}

const kinds = [
  { kind: "container", list: ["ps", "--all", "--quiet", "--no-trunc"], remove: ["rm", "--force", "--volumes"] },
  { kind: "network", list: ["network", "ls", "--quiet", "--no-trunc"], remove: ["network", "rm"] },
  { kind: "volume", list: ["volume", "ls", "--quiet"], remove: ["volume", "rm", "--force"] },
  { kind: "image", list: ["images", "--quiet", "--no-trunc"], remove: ["rmi", "--force"] },
] as const;

async function ids(list: readonly string[], instance: string): Promise<string[]> {
  const listed = await ok("docker", [...list, "--filter", `label=bottle.instance=${instance}`]);
  return [...new Set(listed.split("\n").filter(Boolean))];
}

/** Everything of an instance on the engine, as `kind id`. */
export async function engineObjects(instance: string): Promise<string[]> {
  const all = await Promise.all(kinds.map(async ({ kind, list }) => (await ids(list, instance)).map((id) => `${kind} ${id}`)));
  return all.flat();
}

/** Removes everything of an instance. */
export async function removeObjects(instance: string): Promise<void> {
  for (const { list, remove } of kinds) {
    const found = await ids(list, instance);
    if (found.length > 0) await run("docker", [...remove, ...found]);
  }
}

/** The containers of an instance by service. */
export async function containers(instance: string): Promise<Record<string, Container>> {
  const found = await ids(["ps", "--all", "--quiet", "--no-trunc"], instance);
  if (found.length === 0) return {};
  type Inspected = { Id: string; Name: string; Config: { Image: string; Labels: Record<string, string> }; State: { StartedAt: string; Running: boolean; Health?: { Status: string } } };
  const inspected = JSON.parse(await ok("docker", ["inspect", ...found])) as Inspected[];
  return Object.fromEntries(
    inspected.map(({ Id, Name, Config, State }) => {
      const service = Config.Labels["com.docker.compose.service"] ?? Name;
      return [service, { id: Id, name: Name.slice(1), service, image: Config.Image, startedAt: State.StartedAt, running: State.Running, health: State.Health?.Status }];
    }),
  );
}

/** Ids of an instance's networks by name. */
export async function networks(instance: string): Promise<Record<string, string>> {
  const listed = await ok("docker", ["network", "ls", "--no-trunc", "--format", "{{.Name}} {{.ID}}", "--filter", `label=bottle.instance=${instance}`]);
  return Object.fromEntries(listed.split("\n").filter(Boolean).map((line) => line.split(" ") as [string, string]));
}

/** Runs a shell command in a container, as its own user unless told. Never throws for a failing command. */
export function execIn(container: string, command: string, options: { timeout?: number; input?: string; env?: Record<string, string>; user?: string; workdir?: string } = {}): ReturnType<typeof run> {
  const env = Object.entries(options.env ?? {}).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const as = [...(options.user === undefined ? [] : ["--user", options.user]), ...(options.workdir === undefined ? [] : ["--workdir", options.workdir])];
  return run("docker", ["exec", "--interactive", ...env, ...as, container, "sh", "-c", command], { timeout: options.timeout ?? 60_000, input: options.input });
}

/**
 * A /26 for networks that tests make themselves: another one at each call, so that runs side by side do not meet.
 * @returns its first three octets and the last octet of its base, as `10.207.91` and 64
 */
export function ownSubnet(): { prefix: string; base: number } {
  return { prefix: `10.207.${randomInt(256)}`, base: 64 * randomInt(4) };
}
