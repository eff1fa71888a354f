import type { Command } from "commander";
import { checkStack, findProject } from "../project.ts";
import { addPolicyOptions, type PolicyOptions } from "../requests/policy-packs.ts";
import { interactive } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { watch } from "../watch/watch.ts";

export function register(program: Command): void {
  addPolicyOptions(program.command("watch"))
    .description("requests as they come, with keys to show, approve and reject them")
    .argument("[stack]")
    .action(async (stack: string | undefined, policies: PolicyOptions, command: Command) => {
      if (!interactive()) throw new UserError("watch: needs a terminal", "For programs: bottle requests --json");
      const project = await findProject(command);
      if (stack !== undefined) checkStack(project, stack);
      await watch(project, stack, policies);
    });
}
