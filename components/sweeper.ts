// The first of a bottle to be made and the last to go.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { renderSweep } from "./compose/teardown.ts";
import { quiet, shellQuote } from "./script.ts";
import type { SharedArgs } from "./shared.ts";

const GENERATION_FILE = ".generation";

/**
 * Which making of the state folder this is: as its file says, else a new one. It is in the inputs
 * of everything that writes files there, so that a deleted folder is filled again by the next `up`.
 *
 * @param missing files of it that are gone, relative to the folder: a new making as well.
 */
export function generationOf(stateRoot: string, missing: readonly string[] = []): string {
  try {
    const generation = readFileSync(join(stateRoot, GENERATION_FILE), "utf8").trim();
    return missing.length === 0 ? generation : `${randomUUID()} (${missing.join(", ")} missing)`;
  } catch {
    return randomUUID();
  }
}

/**
 * Deleted after everything else, it removes by label whatever Pulumi does not know of: Docker may
 * have made a network when `up` was killed before the state had it.
 */
export class Sweeper extends pulumi.ComponentResource {
  constructor(name: string, args: SharedArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:Sweeper", name, {}, options);
    const file = join(args.folder.root, GENERATION_FILE);
    new command.local.Command(
      `${name}-sweeper`,
      {
        create: `umask 077 && mkdir -p ${shellQuote(args.folder.root)} && printf %s "$GENERATION" > ${shellQuote(file)}`,
        delete: renderSweep(args.identity, args.folder.root, args.machine.memoryFolder),
        environment: { ...args.machine.engine.environment, GENERATION: args.generation },
        ...quiet,
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
