// Tab completion: a few lines for the shell, which ask this command what fits.
import type { Command } from "commander";
import { findProject, stacksOf, type Project } from "../project.ts";
import { openIds } from "../requests/read.ts";
import { UserError } from "../user-error.ts";

const scripts: Record<string, string> = {
  bash: `_bottle() { COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}")); }
complete -F _bottle bottle
`,
  zsh: `#compdef bottle
_bottle() { compadd -- \${(f)"$(bottle complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"} }
compdef _bottle bottle
`,
  fish: `complete -c bottle -f -a '(bottle complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
};

const takesStack = new Set(["up", "down", "attach", "exec", "logs", "requests"]);
const takesRequest = new Set(["show", "approve", "reject"]);

export function register(program: Command): void {
  program
    .command("completion")
    .description('tab completion for your shell: eval "$(bottle completion bash)"')
    .argument("<shell>", "bash, zsh or fish")
    .action((shell: string) => {
      const script = scripts[shell];
      if (script === undefined) throw new UserError(`completion: "${shell}" is none of ${Object.keys(scripts).join(", ")}`);
      process.stdout.write(script);
    });
  program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .action(async (words: string[], _options: object, command: Command) => {
      const project = await findProject(command).catch(() => undefined);
      process.stdout.write(candidates(program, words, project).map((word) => `${word}\n`).join(""));
    });
}

/** @param words what stands after `bottle`, the last one unfinished. */
export function candidates(program: Command, words: readonly string[], project: Project | undefined): string[] {
  const begun = words.at(-1) ?? "";
  const names = program.commands.filter((each) => each.name() !== "complete").map((each) => each.name());
  const command = program.commands.find((each) => each.name() === words[0]);
  if (words.length <= 1 || command === undefined) return names.filter((name) => name.startsWith(begun));
  const options = begun.startsWith("-") ? command.options.flatMap(({ long }) => long ?? []) : [];
  const stacks = project && (takesStack.has(words[0]!) || words[0] === "audit") ? stacksOf(project) : [];
  const ids = project && takesRequest.has(words[0]!) ? openIds(project) : [];
  const subcommands = words.length === 2 ? command.commands.map((each) => each.name()) : [];
  return [...subcommands, ...options, ...stacks, ...ids].filter((word) => word.startsWith(begun));
}
