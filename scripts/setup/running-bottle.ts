import { lastLines, run } from "./exec.ts";
import { projectRoot } from "./project.ts";

/** Outputs of a stack that is up. */
export interface RunningBottle {
  readonly attach: string;
  readonly agentContainer: string;
}

/**
 * Asks Pulumi for the outputs of a stack. Where it is not up, says so with the mend on standard error and ends the program.
 *
 * @param caller name of the command, for its message
 */
export async function runningBottle(stack: string, caller: string, env: NodeJS.ProcessEnv): Promise<RunningBottle> {
  const { code, stdout, stderr } = await run("pulumi", ["stack", "output", "--json", "--stack", stack], { cwd: projectRoot, env, timeout: 60_000 });
  const outputs = code === 0 ? (JSON.parse(stdout) as Partial<RunningBottle>) : {};
  const { attach, agentContainer } = outputs;
  if (!attach || !agentContainer) {
    const problem = code === 0 ? `the stack ${stack} is not up` : lastLines(stderr, 2);
    process.stderr.write(`${caller}: ${problem}.\n  mend:  npm start ${stack}\n`);
    process.exit(1);
  }
  return { attach, agentContainer };
}
