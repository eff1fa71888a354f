import type { Command } from "commander";
import { findProject } from "../project.ts";
import { interactive } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { watch } from "../requests/watch.ts";

export function register(program: Command): void {
  program
    .command("watch")
    .description("requests as they come, with keys to show, approve and reject them")
    .argument("[stack]")
    .action(async (stack: string | undefined, _options: object, command: Command) => {
      if (!interactive()) throw new UserError("watch: needs a terminal", "For programs: bottle requests --json");
      await watch(await findProject(command), stack);
    });
}
