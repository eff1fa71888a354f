// A running bottle by its stack's name or instance id.
import { run } from "../../components/machine/run.ts";
import { identify } from "../../components/identity.ts";
import type { Project } from "../project.ts";
import { UserError } from "../user-error.ts";
import { engineBottles, type EngineBottle, type EngineContainer } from "./engine.ts";
import { readMetadata } from "./metadata.ts";

/** Of several stacks with that name, this project's is meant. */
export async function findBottle(name: string, project: Project | undefined, env: NodeJS.ProcessEnv): Promise<EngineBottle> {
  const bottles = (await engineBottles(env)).filter(({ stack, instance }) => stack === name || instance === name);
  const own = project && bottles.find(({ instance, folder }) => instance === identify(project.backend, readMetadata(folder).organization ?? "organization", project.name, name).instance);
  const found = own ?? (bottles.length === 1 ? bottles[0] : undefined);
  if (found) return found;
  if (bottles.length === 0) throw new UserError(`there is no bottle ${name} on this engine`, `bottle ls shows those that are; bottle up ${name} brings it up.`);
  throw new UserError(`there are ${bottles.length} bottles of the name ${name} on this engine`, `Name one by its instance: ${bottles.map(({ instance }) => instance).join(", ")}`);
}

export function containerOf(bottle: EngineBottle, service: string): EngineContainer {
  const container = bottle.containers.find((each) => each.service === service);
  if (container?.running) return container;
  const running = bottle.containers.filter((each) => each.running).map((each) => each.service);
  throw new UserError(`${service} of bottle ${bottle.stack} ${container ? `is ${container.status}` : "is not there"}${running.length > 0 ? `; what runs: ${running.join(", ")}` : ""}`, `bottle up ${bottle.stack}`);
}

/** Whether the agent's image is ours, with Claude Code in it. */
export async function hasClaude(container: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  return (await run("docker", ["exec", container, "sh", "-c", "command -v claude"], { env, timeout: 20_000 })).code === 0;
}
