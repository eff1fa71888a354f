// bottle: the host's command line. One file a command; this one lists them.
import { Command, CommanderError } from "commander";
import * as approve from "./commands/approve.ts";
import * as attach from "./commands/attach.ts";
import * as audit from "./commands/audit.ts";
import * as completion from "./commands/completion.ts";
import * as down from "./commands/down.ts";
import * as exec from "./commands/exec.ts";
import * as logs from "./commands/logs.ts";
import * as ls from "./commands/ls.ts";
import * as reject from "./commands/reject.ts";
import * as requests from "./commands/requests.ts";
import * as show from "./commands/show.ts";
import * as up from "./commands/up.ts";
import * as watch from "./commands/watch.ts";
import { UserError } from "./user-error.ts";

const program = new Command("bottle")
  .description("Coding agents in bottles: look at them, enter them, answer what they ask for.")
  .option("-C, --project <folder>", "folder of Pulumi.yaml (default: the nearest one above, else this clone)")
  .enablePositionalOptions()
  .showHelpAfterError("(bottle --help says what there is)")
  .exitOverride();
for (const command of [ls, up, down, attach, exec, logs, requests, show, approve, reject, watch, audit, completion]) command.register(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof UserError) {
    process.stderr.write(`bottle: ${error.message}\n${error.mend ? `  mend:  ${error.mend}\n` : ""}`);
    process.exitCode = error.exitCode;
  } else throw error;
}
