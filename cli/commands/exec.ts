import type { Command } from "commander";
import { attached } from "../attached.ts";
import { containerOf, findBottle } from "../fleet/find.ts";
import { findProject } from "../project.ts";
import { interactive } from "../terminal.ts";

export function register(program: Command): void {
  program
    .command("exec")
    .description("run a command in a bottle")
    .argument("<stack>", "stack's name, or instance id")
    .argument("<command...>")
    .option("-s, --service <name>", "container of another service", "agent")
    .passThroughOptions()
    .action(async (stack: string, words: string[], { service }: { service: string }, command: Command) => {
      const project = await findProject(command).catch(() => undefined);
      const env = project?.env ?? process.env;
      // What stands before it was ours.
      if (words[0] === "--") words.shift();
      const { name } = containerOf(await findBottle(stack, project, env), service);
      process.exitCode = await attached("docker", ["exec", interactive() ? "-it" : "-i", name, ...words], { env });
    });
}
