import type { Command } from "commander";
import { findProject } from "../project.ts";
import { showRequest } from "../requests/approve.ts";
import { lookForCutOff } from "../decisions/cut-off.ts";
import { addPolicyOptions, type PolicyOptions } from "../requests/policy-packs.ts";
import { printRequest } from "../requests/print.ts";
import { findRequest, readAnswer } from "../requests/read.ts";
import { plain, tell } from "../terminal.ts";

export function register(program: Command): void {
  addPolicyOptions(program.command("show"))
    .description("one request: what it allows, the change of the manifest, and its preview with the policy pack")
    .argument("<id>")
    .action(async (id: string, policies: PolicyOptions, command: Command) => {
      const project = await findProject(command);
      const entry = findRequest(project, id);
      await lookForCutOff(project, [entry.stack], tell);
      if (entry.state === "open") {
        const { obstacle } = await showRequest(project, entry, { policies });
        process.stdout.write(`${obstacle ? "" : `approve: bottle approve ${id}    `}reject: bottle reject ${id} --why …\n`);
        return;
      }
      process.stdout.write(printRequest(entry));
      const answer = readAnswer(entry.root, id);
      if (answer) process.stdout.write(`  answer   ${answer.decision} by ${plain(answer.by)} at ${answer.decided_at}${answer.why ? `: ${plain(answer.why)}` : ""}${answer.until ? `, until ${answer.until}` : ""}\n`);
    });
}
