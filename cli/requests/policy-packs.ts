// Which policy packs a candidate is previewed with, and how they are configured.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Option, type Command } from "commander";
import type { Project } from "../project.ts";
import { UserError } from "../user-error.ts";

/** As given on the command line: folders, and files of settings. */
export interface PolicyOptions {
  readonly policyPack?: readonly string[];
  readonly policyPackConfig?: readonly string[];
}

export interface PolicyPacks {
  readonly packs: readonly string[];
  readonly configs: readonly string[];
}

export const NO_PACKS: PolicyPacks = { packs: [], configs: [] };

export function addPolicyOptions(command: Command): Command {
  const collect = (each: string, before: readonly string[] = []): string[] => [...before, each];
  return command
    .addOption(new Option("--policy-pack <folder>", "preview with this policy pack; may be given several times (default: policies/ of the project, where it is there)").argParser(collect))
    .addOption(new Option("--policy-pack-config <file>", "its levels and settings, in the order of the packs").argParser(collect));
}

/** The packs that are asked for, else the one that lies with the project. */
export function policyPacks(project: Project, { policyPack, policyPackConfig = [] }: PolicyOptions): PolicyPacks {
  const isPack = (folder: string): boolean => existsSync(join(folder, "PulumiPolicy.yaml"));
  const packs = policyPack === undefined ? [join(project.folder, "policies")].filter(isPack) : policyPack.map((folder) => resolve(folder));
  const configs = policyPackConfig.map((file) => resolve(file));
  const other = packs.find((folder) => !isPack(folder));
  if (other !== undefined) throw new UserError(`--policy-pack ${other}: holds no PulumiPolicy.yaml`, "Name the folder of a policy pack.");
  // Pulumi has Node require the folder, and a file of that name comes first.
  const shadow = packs.flatMap((folder) => [`${folder}.js`, `${folder}.json`]).find(existsSync);
  if (shadow !== undefined) throw new UserError(`${shadow}: Node would load it in the place of the policy pack beside it`, "Give the file another name.");
  const missing = configs.find((file) => !existsSync(file));
  if (missing !== undefined) throw new UserError(`--policy-pack-config ${missing}: is not there`);
  if (configs.length > packs.length) throw new UserError("--policy-pack-config: there are more of them than policy packs", packs.length === 0 ? "Name the pack as well: --policy-pack FOLDER" : undefined);
  return { packs, configs };
}
