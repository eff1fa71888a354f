import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { findBottle } from "../fleet/find.ts";
import { reap } from "../fleet/reap.ts";
import { States } from "../fleet/states.ts";
import { openStack, pulumiError } from "../pulumi.ts";
import { findProject, type Project } from "../project.ts";
import { forEachStack } from "../side-by-side.ts";
import { confirm, interactive } from "../terminal.ts";
import { UserError } from "../user-error.ts";

export function register(program: Command): void {
  program
    .command("down")
    .description("take bottles away; logs and the agent's work are saved (pulumi destroy)")
    .argument("<stack...>", "one or more stacks, side by side")
    .option("-y, --yes", "without asking")
    .option("--lost", "a bottle that Pulumi does not know any more, by its instance id")
    .action(async (stacks: string[], { yes, lost }: { yes?: boolean; lost?: boolean }, command: Command) => {
      const project = await findProject(command).catch((error: unknown) => {
        if (lost) return undefined;
        throw error;
      });
      if (!yes) {
        if (!interactive()) throw new UserError("down: takes the bottle away and nobody can be asked here", "Add --yes");
        if (!(await confirm(`Take ${stacks.join(", ")} away?`))) throw new UserError("nothing was done");
      }
      await forEachStack(stacks, (stack, onOutput) => (lost ? reapLost(stack, project) : destroy(project!, stack, onOutput)));
    });
}

async function destroy(project: Project, stack: string, onOutput: (text: string) => void): Promise<void> {
  const opened = await openStack(project, stack);
  await opened.destroy({ onOutput, color: "never", suppressProgress: true }).catch((error: unknown) => {
    throw pulumiError(error, stack);
  });
}

async function reapLost(name: string, project: Project | undefined): Promise<void> {
  const env = project?.env ?? process.env;
  const bottle = await findBottle(name, project, env);
  const { knowledge } = await new States(project).of(bottle);
  if (knowledge === "known") throw new UserError(`bottle ${bottle.stack} (${bottle.instance}): Pulumi knows it`, `bottle down ${bottle.stack}`);
  const kept = bottle.folder && existsSync(dirname(dirname(bottle.folder))) ? bottle.folder : join(mkdtempSync(join(tmpdir(), "bottle-kept-")), bottle.stack);
  await reap(bottle, kept, env);
}
