import type { Command } from "commander";
import { attached } from "../attached.ts";
import { containerOf, findBottle, hasClaude } from "../fleet/find.ts";
import { findProject } from "../project.ts";
import { interactive } from "../terminal.ts";

export function register(program: Command): void {
  program
    .command("attach")
    .description("enter a bottle with its agent (Claude Code in the preset, else a shell)")
    .argument("<stack>", "stack's name, or instance id")
    .action(async (stack: string, _options: object, command: Command) => {
      const project = await findProject(command).catch(() => undefined);
      const env = project?.env ?? process.env;
      const { name } = containerOf(await findBottle(stack, project, env), "agent");
      process.exitCode = await attached("docker", ["exec", interactive() ? "-it" : "-i", name, (await hasClaude(name, env)) ? "claude" : "sh"], { env });
    });
}
