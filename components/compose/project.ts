// The Compose project as Pulumi sees it: a teardown guard, and the `up` that depends on it.
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Identity } from "../identity.ts";
import { nodeScript, quiet } from "../script.ts";
import { renderDown } from "./teardown.ts";

export interface ComposeProjectArgs {
  readonly identity: Identity;
  /** Rendered Compose file; a plain string, so that policies read it in the first preview. */
  readonly composeFile: string;
  readonly stateRoot: string;
  /** Selects the engine, for the Docker CLI. */
  readonly engineEnvironment: Readonly<Record<string, string>>;
  /** Docker ids of the networks by role; a new network means a new guard. */
  readonly networkIds: pulumi.Input<Record<string, string>>;
  /** Content of metadata.json but for what only `up` knows. */
  readonly metadata: pulumi.Input<object>;
  /** Makes `up` run again when it changes, without recreating what Compose finds unchanged. */
  readonly revision: pulumi.Input<string>;
  /** What `up` is to repair, or last repaired; see Drift. */
  readonly repair?: string;
  readonly agentRepair?: string;
  /** Saves the agent's work at teardown; sh. */
  readonly saveWork: string;
  /** What must be there before containers start. */
  readonly needs: pulumi.Input<pulumi.Resource>[];
}

/**
 * A failed `create` leaves nothing in the state, so a `delete` on `up` itself would never run after
 * a failed `up`. The guard is made first and only deletes.
 */
export class ComposeProject extends pulumi.ComponentResource {
  readonly up: command.local.Command;

  constructor(name: string, args: ComposeProjectArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:ComposeProject", name, {}, options);
    const environment = { ...args.engineEnvironment };
    const guard = new command.local.Command(
      `${name}-teardown-guard`,
      {
        create: ":",
        delete: renderDown(args.identity, args.stateRoot, args.saveWork),
        environment,
        triggers: [args.networkIds],
        ...quiet,
      },
      // New before old would let the old one's `down` kill the new project.
      { parent: this, deleteBeforeReplace: true },
    );
    this.up = new command.local.Command(
      `${name}-up`,
      {
        create: nodeScript("./up", import.meta.url),
        environment: {
          ...environment,
          STATE_FOLDER: args.stateRoot,
          METADATA: pulumi.jsonStringify(args.metadata),
          REVISION: args.revision,
          ...(args.repair !== undefined && { BOTTLE_REPAIR: args.repair }),
          ...(args.agentRepair !== undefined && { BOTTLE_AGENT_REPAIR: args.agentRepair }),
        },
        stdin: args.composeFile,
        triggers: [args.networkIds],
        ...quiet,
      },
      { parent: this, dependsOn: pulumi.all(args.needs).apply((needs) => [guard, ...needs]), deleteBeforeReplace: true },
    );
    this.registerOutputs({});
  }
}
