// Memory of each service of a bottle that idles.
import { usage } from "./engine-api.ts";
import type { Figure, Table } from "./figures.ts";
import { pause, timed } from "./processes.ts";
import type { Scratch } from "./scratch.ts";

/** Seconds after the start. */
const IDLE = 20;
/** MiB; all sidecars together, without `supervise`. */
const SIDECARS = 130;

/** Recreates the bottle's containers, waits and looks. */
export async function measureMemory(scratch: Scratch, say: (line: string) => void): Promise<Table> {
  say(`memory: ${IDLE} s of idling`);
  const services = ["pipelock", "egress", "agent"];
  await timed("docker", ["restart", "--timeout", "2", ...services.map((service) => scratch.container(service))]);
  await pause(IDLE);
  const all = await Promise.all(services.map((service) => usage(scratch.container(service))));
  const figures: Figure[] = services.map((service, index) => ({
    ...{ what: service, unit: "MiB", value: all[index]!.workingSet, note: `${all[index]!.anonymous.toFixed(0)} MiB of it anonymous` },
  }));
  const sidecars = all[0]!.workingSet + all[1]!.workingSet;
  figures.push({ what: "sidecars together", unit: "MiB", value: sidecars, target: { bound: SIDECARS, sense: "at most", from: `${SIDECARS} MiB` } });
  return {
    title: `Idle memory, ${IDLE} s after the start`,
    remarks: ["Working set: what the container's cgroup uses without the page cache that the kernel can drop. The agent idles without its coding agent started."],
    figures,
  };
}
