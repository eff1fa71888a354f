import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { attached } from "../attached.ts";
import { findBottle } from "../fleet/find.ts";
import { findProject, stateRoot, type Project } from "../project.ts";
import { UserError } from "../user-error.ts";

export function register(program: Command): void {
  program
    .command("logs")
    .description("what a bottle's containers said; of a destroyed bottle what was kept")
    .argument("<stack>", "stack's name, or instance id")
    .argument("[service...]", "agent, egress, pipelock, git-gate, supervise")
    .option("-f, --follow", "go on as more comes")
    .option("-n, --tail <lines>", "the last lines of each", "200")
    .action(async (stack: string, services: string[], { follow, tail }: { follow?: boolean; tail: string }, command: Command) => {
      const project = await findProject(command).catch(() => undefined);
      const env = project?.env ?? process.env;
      const bottle = await findBottle(stack, project, env).catch((error: Error) => {
        if (error instanceof UserError && kept(project, stack)) return undefined;
        throw error;
      });
      process.exitCode = bottle?.composeProject
        ? await attached("docker", ["compose", "--project-name", bottle.composeProject, "logs", "--tail", tail, ...(follow ? ["--follow"] : []), ...services], { env })
        : await attached("tail", ["-n", tail, kept(project, stack)!], { env });
    });
}

function kept(project: Project | undefined, stack: string): string | undefined {
  const file = project && join(stateRoot(project, stack), "compose.log");
  return file && existsSync(file) ? file : undefined;
}
