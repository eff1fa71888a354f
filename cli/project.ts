// Which Pulumi project the command is about, and what Pulumi needs in the environment there.
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { parse } from "yaml";
import { backendUrl } from "../components/machine/backend.ts";
import { slugify } from "../components/identity.ts";
import { UserError } from "./user-error.ts";

export interface Project {
  /** Absolute, symbolic links resolved: it is part of what bottles are found by. */
  readonly folder: string;
  /** Pulumi's project name. */
  readonly name: string;
  /** Environment for Pulumi and Docker. */
  readonly env: NodeJS.ProcessEnv;
  readonly backend: string;
}

/** This clone; undefined in the published package. */
const clone = existsSync(new URL("../scripts/bootstrap.mjs", import.meta.url)) ? realpathSync(dirname(dirname(fileURLToPath(import.meta.url)))) : undefined;

/** The project that `--project` names, else the nearest above, else this clone. */
export async function findProject(command: Command): Promise<Project> {
  const { project: asked } = command.optsWithGlobals<{ project?: string }>();
  const folder = asked === undefined ? (above(process.cwd()) ?? clone) : resolve(asked);
  if (folder === undefined || !existsSync(join(folder, "Pulumi.yaml"))) {
    throw new UserError(`${folder ?? process.cwd()}: there is no Pulumi.yaml here or above`, "Go to the folder of your bottles, or name it: bottle -C FOLDER …");
  }
  return projectIn(folder);
}

export async function projectIn(path: string): Promise<Project> {
  const folder = realpathSync(path);
  const { name } = parse(readFileSync(join(folder, "Pulumi.yaml"), "utf8")) as { name: string };
  const env = await environment(folder);
  return { folder, name, env, backend: backendUrl(folder, env) };
}

/** A clone's stacks are where its set-up has put them; elsewhere Pulumi's own settings say it all. */
async function environment(folder: string): Promise<NodeJS.ProcessEnv> {
  if (folder !== clone) return { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  const { bottleEnvironment } = await import("../scripts/setup/environment.ts");
  return bottleEnvironment();
}

function above(start: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "Pulumi.yaml"))) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

/** The stack's manifest. */
export function manifestFile(project: Project, stack: string): string {
  return join(project.folder, `Pulumi.${stack}.yaml`);
}

export function stateRoot(project: Project, stack: string): string {
  return join(project.folder, "state", slugify(stack));
}

/** @throws UserError where the stack has no manifest here. */
export function checkStack(project: Project, stack: string): void {
  const stacks = stacksOf(project);
  if (!stacks.includes(stack)) throw new UserError(`Pulumi.${stack}.yaml: is not in ${project.folder}`, `Stacks here: ${stacks.join(", ") || "none"}`);
}

/** Stacks that have a manifest here. */
export function stacksOf(project: Pick<Project, "folder">): string[] {
  return readdirSync(project.folder)
    .flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? [])
    .sort();
}
