// Whether Pulumi still knows a bottle: its backend is asked, never the engine.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { identify } from "../../components/identity.ts";
import { shownBackend } from "../../components/machine/backend.ts";
import { run } from "../../components/machine/run.ts";
import { projectIn, type Project } from "../project.ts";
import type { EngineBottle } from "./engine.ts";
import { readMetadata } from "./metadata.ts";

/** known: Pulumi has the stack. lost: it has not. unknown: it could not be asked. */
export type Knowledge = "known" | "lost" | "unknown";

export interface Known {
  readonly knowledge: Knowledge;
  /** Folder of the project that the bottle is of. */
  readonly project?: string;
  /** Where Pulumi keeps its stack, without credentials. */
  readonly backend?: string;
}

/** The organisation of every stack in a backend that has none. */
const NO_ORGANIZATION = "organization";

/**
 * Names of a project's stacks in its backend; undefined where that cannot be read.
 *
 * @param organization where it is not the user's own.
 */
export async function stackNames(project: Project, env: NodeJS.ProcessEnv = project.env, organization?: string): Promise<string[] | undefined> {
  const of = organization === undefined || organization === NO_ORGANIZATION ? [] : ["--organization", organization];
  const { code, stdout } = await run("pulumi", ["stack", "ls", "--json", "--non-interactive", ...of], { cwd: project.folder, env, timeout: 30_000 });
  if (code !== 0) return undefined;
  return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name.split("/").at(-1)!);
}

/** Asks each project's backend once. */
export class States {
  readonly #own: Project | undefined;
  readonly #asked = new Map<string, Promise<string[] | undefined>>();

  /** @param own the project that the command is about: no other project's remote backend is asked. */
  constructor(own: Project | undefined) {
    this.#own = own;
  }

  async of(bottle: EngineBottle): Promise<Known> {
    if (bottle.folder === undefined) return { knowledge: "unknown" };
    const folder = dirname(dirname(bottle.folder));
    if (!existsSync(join(folder, "Pulumi.yaml"))) return { knowledge: "lost" };
    const project = await projectIn(folder);
    const { backend: recorded, organization = NO_ORGANIZATION } = readMetadata(bottle.folder);
    // The instance id is made of the backend: where it fits, this is where the stack is, or was.
    const backend = backends(project, recorded).find((url) => identify(url, organization, bottle.project, bottle.stack).instance === bottle.instance);
    const known = { project: folder, backend: backend === undefined ? recorded : shownBackend(backend) };
    if (backend?.startsWith("file://")) {
      if (!existsSync(backend.slice("file://".length))) return { knowledge: "lost", ...known };
    } else if (backend === undefined || backend !== this.#own?.backend) return { knowledge: "unknown", ...known };
    const names = await this.#names(project, backend, organization);
    return { knowledge: names === undefined ? "unknown" : names.includes(bottle.stack) ? "known" : "lost", ...known };
  }

  #names(project: Project, backend: string, organization: string): Promise<string[] | undefined> {
    const key = `${project.folder} ${backend} ${organization}`;
    const asked = this.#asked.get(key) ?? stackNames(project, { ...project.env, PULUMI_BACKEND_URL: backend }, organization);
    this.#asked.set(key, asked);
    return asked;
  }
}

/** Where this shell, the bottle's own metadata.json or the project itself keep state. */
function backends(project: Project, recorded: string | undefined): string[] {
  return [...new Set([project.backend, ...(recorded === undefined ? [] : [recorded]), `file://${project.folder}/.bottle/backend`, `file://${project.folder}/backend`])];
}
