import type { Command } from "commander";
import { checkStack, findProject, stacksOf } from "../project.ts";
import { lookForCutOff } from "../decisions/cut-off.ts";
import { allRequests, isPending, type Entry } from "../requests/read.ts";
import type { Change } from "../requests/request.ts";
import { inShort } from "../requests/words.ts";
import { plain, span, table, tell } from "../terminal.ts";

export function register(program: Command): void {
  program
    .command("requests")
    .description("what agents ask for, in all bottles of this project or in one")
    .argument("[stack]")
    .option("-a, --all", "also what is decided or expired")
    .option("--json", "for programs")
    .action(async (stack: string | undefined, { all, json }: { all?: boolean; json?: boolean }, command: Command) => {
      const project = await findProject(command);
      if (stack !== undefined) checkStack(project, stack);
      await lookForCutOff(project, stack === undefined ? stacksOf(project) : [stack], tell);
      const entries = allRequests(project, stack === undefined ? undefined : [stack]).filter((entry) => all || isPending(entry));
      process.stdout.write(json ? `${JSON.stringify(entries.map(({ stack, id, state, request, malformed }) => ({ stack, id, state, request: request ?? null, malformed: malformed ?? null })), null, 2)}\n` : renderRequests(entries));
    });
}

export function renderRequests(entries: readonly Entry[], now = Date.now()): string {
  if (entries.length === 0) return "No request waits.\n";
  const rows = entries.map(({ stack, id, state, request, malformed }) => [
    id,
    plain(stack),
    state,
    request?.kind ?? "-",
    request ? inShort(request as Change) : plain(malformed ?? "").slice(0, 60),
    request ? span(now - Date.parse(request.created_at)) : "-",
    request ? plain(request.why).slice(0, 60) : "-",
  ]);
  return `${table(["ID", "STACK", "STATE", "KIND", "WHAT", "AGE", "WHY"], rows)}\n`;
}
