// Networks that a killed `up` left on the engine without Pulumi knowing of them. Left alone, the
// next `up` would fail on their names.
import { readFileSync } from "node:fs";
import type { Identity } from "../identity.ts";
import { dockerEnvironment, engineNetworks, type Engine } from "./engine.ts";
import { run } from "./run.ts";

/**
 * Removes this instance's networks that are not in the stack's state, with what is attached to
 * them. Runs at the start of every update; asks Pulumi for the state only where a network is on
 * the engine that the last good `up` did not record.
 *
 * @param metadata path of `metadata.json`, which names the networks of the last good `up`.
 * @returns names of the networks removed.
 * @throws Error naming networks and mend where the state cannot be read.
 */
export async function removeStrays(identity: Identity, engine: Engine, metadata: string, project: string): Promise<string[]> {
  const ours = (await engineNetworks(engine)).filter((network) => network.labels["bottle.instance"] === identity.instance);
  const recorded = recordedNetworks(metadata);
  if (ours.every((network) => recorded.has(network.id))) return [];
  const known = await networksInState(identity, project);
  const strays = ours.filter((network) => !known.has(network.id));
  const env = dockerEnvironment(engine);
  for (const stray of strays) {
    const { stdout } = await run("docker", ["ps", "--all", "--quiet", "--filter", `network=${stray.id}`, "--filter", `label=bottle.instance=${identity.instance}`], { env });
    const containers = stdout.split("\n").filter(Boolean);
    if (containers.length > 0) await run("docker", ["rm", "--force", ...containers], { env });
    const removed = await run("docker", ["network", "rm", stray.id], { env });
    if (removed.code !== 0) throw new Error(`Docker network ${stray.name}: was left by an interrupted \`pulumi up\` and cannot be removed: ${removed.stderr.trim()}`);
  }
  return strays.map((network) => network.name);
}

function recordedNetworks(metadata: string): Set<string> {
  try {
    const { networks } = JSON.parse(readFileSync(metadata, "utf8")) as { networks?: Record<string, { id?: string }> };
    return new Set(Object.values(networks ?? {}).flatMap((network) => network.id ?? []));
  } catch {
    return new Set();
  }
}

async function networksInState(identity: Identity, project: string): Promise<Set<string>> {
  const { code, stdout, stderr } = await run("pulumi", ["stack", "export", "--stack", identity.stack, "--non-interactive"], { cwd: project, timeout: 60_000 });
  if (code !== 0) {
    throw new Error(
      `networks labelled bottle.instance=${identity.instance} are on the engine, but whether Pulumi knows them cannot be told ` +
        `(pulumi stack export: ${stderr.trim().split("\n").at(-1)}); remove strays by hand: ` +
        `docker network ls --filter label=bottle.instance=${identity.instance}`,
    );
  }
  const { deployment } = JSON.parse(stdout) as { deployment?: { resources?: { type: string; id?: string }[] } };
  return new Set((deployment?.resources ?? []).filter((resource) => resource.type === "docker:index/network:Network").flatMap((resource) => resource.id ?? []));
}
