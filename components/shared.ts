// What every part of one bottle is made from.
import type { AllowedHost, Route } from "./manifest/manifest.ts";
import type { BottleArgs } from "./stack.ts";
import type { StateFolder } from "./state-folder.ts";
import type { NetworkRole, Subnet } from "./subnets.ts";

export interface SharedArgs extends BottleArgs {
  readonly folder: StateFolder;
  readonly subnets: Record<NetworkRole, Subnet>;
  /** The manifest's hosts and those of the package clients. */
  readonly hosts: readonly AllowedHost[];
  readonly routes: readonly Route[];
  /** Whether egress stands between agent and pipelock; see needsEgress. */
  readonly behindEgress: boolean;
  /** `uid:gid` of the sidecars, who own their files. */
  readonly owner: string;
  /** Names the present making of the files under `state/<slug>/`: where the folder is gone, a new one. */
  readonly generation: string;
}

/** Environment of every Command that writes files: the engine, and what makes the files anew. */
export function fileEnvironment(args: SharedArgs): Record<string, string> {
  return {
    ...args.machine.engine.environment,
    OWNER: args.owner,
    COMPOSE_PROJECT: args.identity.composeProject,
    INSTANCE: args.identity.instance,
    GENERATION: args.generation,
  };
}
