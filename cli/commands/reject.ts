import type { Command } from "commander";
import { findProject } from "../project.ts";
import { lookForCutOff } from "../decisions/cut-off.ts";
import { alreadyDecided, refuse } from "../decisions/decide.ts";
import { findRequest, isPending } from "../requests/read.ts";
import { plain, tell } from "../terminal.ts";
import { UserError } from "../user-error.ts";

export function register(program: Command): void {
  program
    .command("reject")
    .description("refuse a request; the agent reads why")
    .argument("<id>")
    .requiredOption("--why <text>", "what the agent is told")
    .action(async (id: string, { why }: { why: string }, command: Command) => {
      const project = await findProject(command);
      const entry = findRequest(project, id);
      await lookForCutOff(project, [entry.stack], tell);
      if (!isPending(entry)) throw alreadyDecided(entry, entry.state);
      const text = plain(why);
      if (text === "" || text.length > 1_000) throw new UserError("--why: give the agent a reason, of at most 1000 characters");
      await refuse(entry, text);
      process.stdout.write(`${id} is rejected\n`);
    });
}
