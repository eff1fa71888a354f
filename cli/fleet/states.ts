// Whether Pulumi still knows a bottle: its backend is asked, never the engine.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { identify } from "../../components/identity.ts";
import { run } from "../../components/machine/run.ts";
import { projectIn, type Project } from "../project.ts";
import type { EngineBottle } from "./engine.ts";

/** known: Pulumi has the stack. lost: it has not. unknown: it could not be asked. */
export type Knowledge = "known" | "lost" | "unknown";

/** Names of a project's stacks in its backend; undefined where that cannot be read. */
export async function stackNames(project: Project, env: NodeJS.ProcessEnv = project.env): Promise<string[] | undefined> {
  const { code, stdout } = await run("pulumi", ["stack", "ls", "--json", "--non-interactive"], { cwd: project.folder, env, timeout: 30_000 });
  if (code !== 0) return undefined;
  return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name.split("/").at(-1)!);
}

/** Asks each project's backend once. */
export class States {
  readonly #asked = new Map<string, Promise<string[] | undefined>>();

  /** @returns what Pulumi knows, and the folder of the project that the bottle is of. */
  async of(bottle: EngineBottle): Promise<{ readonly knowledge: Knowledge; readonly project?: string }> {
    if (bottle.folder === undefined) return { knowledge: "unknown" };
    const folder = dirname(dirname(bottle.folder));
    if (!existsSync(join(folder, "Pulumi.yaml"))) return { knowledge: "lost" };
    const project = await projectIn(folder);
    for (const backend of backends(project)) {
      // The instance id is made of the backend: where it fits, this is where the stack is, or was.
      if (identify(backend, "organization", bottle.project, bottle.stack).instance !== bottle.instance) continue;
      if (!existsSync(backend.slice("file://".length)) && backend.startsWith("file://")) return { knowledge: "lost", project: folder };
      const names = await this.#names(project, backend);
      return { knowledge: names === undefined ? "unknown" : names.includes(bottle.stack) ? "known" : "lost", project: folder };
    }
    return { knowledge: "unknown", project: folder };
  }

  #names(project: Project, backend: string): Promise<string[] | undefined> {
    const key = `${project.folder} ${backend}`;
    const asked = this.#asked.get(key) ?? stackNames(project, { ...project.env, PULUMI_BACKEND_URL: backend });
    this.#asked.set(key, asked);
    return asked;
  }
}

/** Where this shell, or the project itself, keeps state. */
function backends(project: Project): string[] {
  return [...new Set([project.backend, `file://${project.folder}/.bottle/backend`, `file://${project.folder}/backend`])];
}
