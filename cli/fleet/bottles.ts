// Every bottle on the machine, as `bottle ls` shows it.
import { shownBackend } from "../../components/machine/backend.ts";
import { stateRoot, type Project } from "../project.ts";
import { openCount } from "../requests/read.ts";
import { engineBottles, memory, type EngineBottle, type EngineContainer } from "./engine.ts";
import { readMetadata } from "./metadata.ts";
import { stackNames, States, type Knowledge, type Known } from "./states.ts";

export interface Bottle {
  readonly stack: string;
  readonly instance?: string;
  /** up: its agent runs. partial: some of it does. down: nothing runs. */
  readonly state: "up" | "partial" | "down";
  /** healthy; else what is not, by service. */
  readonly health: string;
  readonly pulumi: Knowledge;
  /** Folder of the Pulumi project, where it can be told. */
  readonly project?: string;
  /** Where Pulumi keeps its stack, without credentials. */
  readonly backend?: string;
  readonly created_at?: string;
  readonly uptime_seconds?: number;
  readonly memory_bytes?: number;
  readonly pending_requests: number;
  /** How to take away a bottle that Pulumi does not know any more, or perhaps not. */
  readonly reap?: string;
}

/** @param now milliseconds. */
export async function fleet(project: Project | undefined, env: NodeJS.ProcessEnv, now = Date.now()): Promise<Bottle[]> {
  const [found, ours] = await Promise.all([engineBottles(env), project && stackNames(project)]);
  const states = new States(project);
  const [used, knowledge] = await Promise.all([
    memory(env, found.flatMap(({ containers }) => containers.filter(({ running }) => running).map(({ id }) => id))),
    Promise.all(found.map((bottle) => states.of(bottle))),
  ]);
  const bottles = found.map((bottle, index) => describe(bottle, knowledge[index]!, used, now));
  const absent = (ours ?? []).filter((stack) => !bottles.some((bottle) => bottle.stack === stack && bottle.project === project!.folder));
  for (const stack of absent) {
    bottles.push({ stack, state: "down", health: "-", pulumi: "known", project: project!.folder, backend: shownBackend(project!.backend), pending_requests: openCount(stateRoot(project!, stack), now) });
  }
  return bottles.sort((a, b) => a.stack.localeCompare(b.stack));
}

function describe(bottle: EngineBottle, { knowledge, project, backend }: Known, used: Map<string, number>, now: number): Bottle {
  const running = bottle.containers.filter((container) => container.running);
  const agent = running.find(({ service }) => service === "agent");
  return {
    stack: bottle.stack,
    instance: bottle.instance,
    state: running.length === 0 ? "down" : agent && running.length === bottle.containers.length ? "up" : "partial",
    health: healthOf(bottle.containers),
    pulumi: knowledge,
    project,
    backend,
    created_at: readMetadata(bottle.folder).created_at,
    ...(agent && { uptime_seconds: Math.round((now - Date.parse(agent.startedAt)) / 1000) }),
    memory_bytes: running.reduce((sum, { id }) => sum + (used.get(id) ?? 0), 0),
    pending_requests: bottle.folder === undefined ? 0 : openCount(bottle.folder, now),
    ...(knowledge !== "known" && { reap: `bottle down --lost ${bottle.instance}` }),
  };
}

/** healthy, or what is not by service. */
export function healthOf(containers: readonly EngineContainer[]): string {
  const ill = containers.flatMap(({ service, running, status, health, exitCode }) => {
    if (!running) return [`${service} ${status}${status === "exited" ? ` (${exitCode})` : ""}`];
    return health === undefined || health === "healthy" ? [] : [`${service} ${health}`];
  });
  return containers.length === 0 ? "-" : ill.length === 0 ? "healthy" : ill.sort().join(", ");
}
