import type { Command } from "commander";
import { openStack, pulumiError } from "../pulumi.ts";
import { findProject } from "../project.ts";
import { afterUpdate, beforeUpdate } from "../decisions/cut-off.ts";
import { forEachStack } from "../side-by-side.ts";

export function register(program: Command): void {
  program
    .command("up")
    .description("bring bottles up, or apply their manifests (pulumi up)")
    .argument("<stack...>", "one or more stacks, side by side")
    .action(async (stacks: string[], _options: object, command: Command) => {
      const project = await findProject(command);
      await forEachStack(stacks, async (stack, onOutput) => {
        await beforeUpdate(project, stack, (line) => onOutput(`${line}\n`));
        const opened = await openStack(project, stack);
        const up = async (): Promise<void> => {
          await opened.up({ onOutput, color: "never", suppressProgress: true }).catch((error: unknown) => {
            throw pulumiError(error, stack);
          });
        };
        await up();
        await afterUpdate(project, stack, up);
      });
    });
}
