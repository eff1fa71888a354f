// `pulumi up` as a decision runs it: neither this process's end nor its terminal ends it in the middle.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { run } from "../../components/machine/run.ts";
import { errorLines, pulumiError } from "../pulumi.ts";
import type { Project } from "../project.ts";
import { UserError } from "../user-error.ts";
import type { Interrupts } from "./interrupts.ts";

/** Milliseconds that Pulumi has to end by itself when it is told for good. */
const GRACE = 10_000;

export interface Update {
  readonly project: Project;
  readonly stack: string;
  /** `state/<slug>`. */
  readonly root: string;
  readonly message: string;
  readonly interrupts: Interrupts;
  /** Which interrupt stops it: an update that brings things back goes on at the first. */
  readonly stopAt: 1 | 2;
}

/** What the Automation API's `stack.up` runs, without the calls after it (outputs, history) that cost as much again. */
export async function update(options: Update): Promise<void> {
  const { code, output } = await pulumiUp(options);
  if (code === 0) return;
  if (/currently locked/.test(output)) throw new Locked(options.stack, output);
  throw new UserError(`stack ${options.stack}: ${errorLines(output) || "the update was killed"}`);
}

/** Another update holds the stack, or one that was killed. */
export class Locked extends UserError {
  readonly #output: string;

  constructor(stack: string, output: string) {
    const { message, mend } = pulumiError(new Error(output), stack);
    super(message, mend);
    this.#output = output;
  }

  /** Whether the backend names processes of this machine alone, and all of them are gone. Backends of a service name none. */
  get stale(): boolean {
    const holders = [...this.#output.matchAll(/created by \S*@(\S+) \(pid (\d+)\)/g)];
    return holders.length > 0 && holders.every(([, host, pid]) => host === hostname() && !alive(Number(pid)));
  }
}

/** Takes away the lock of an update that is over. */
export async function releaseLock({ project, stack }: Pick<Update, "project" | "stack">): Promise<void> {
  await run("pulumi", ["cancel", "--yes", "--stack", stack, "--non-interactive"], { cwd: project.folder, env: project.env });
}

/**
 * In a session of its own: of the terminal's Ctrl-C it gets what is passed on, once, and it survives the terminal. Its
 * output goes to a file: to a pipe that nobody reads any more it could not write, and would die of that.
 */
async function pulumiUp({ project, stack, root, message, interrupts, stopAt }: Update): Promise<{ code: number; output: string }> {
  const args = ["up", "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs", "--suppress-progress", "--color", "never", "--stack", stack, "--message", message];
  const log = join(root, "deciding.log");
  const descriptor = openSync(log, "w", 0o600);
  const child = spawn("pulumi", args, { cwd: project.folder, env: project.env, detached: true, stdio: ["ignore", descriptor, descriptor] });
  closeSync(descriptor);
  let timer: NodeJS.Timeout | undefined;
  const stop = (count: number): void => {
    if (count < stopAt) return;
    signalGroup(child.pid, "SIGINT");
    if (count >= 2) timer ??= setTimeout(() => signalGroup(child.pid, "SIGKILL"), GRACE);
  };
  const unlisten = interrupts.listen(stop);
  if (interrupts.count >= stopAt) stop(interrupts.count);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on("error", (error) => reject(new UserError(`pulumi: ${error.message}`)));
      child.on("exit", (code) => resolve(code ?? 1));
    });
    // npm's `pulumi` is a wrapper, and dies of a signal before Pulumi has ended.
    while (signalGroup(child.pid, 0)) await new Promise((resolve) => setTimeout(resolve, 50));
    return { code, output: readFileSync(log, "utf8") };
  } finally {
    clearTimeout(timer);
    unlisten();
  }
}

/** To Pulumi and what it has started but plugins, which are groups of their own; whether there is any of it. */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals | 0): boolean {
  return pid !== undefined && signalled(-pid, signal);
}

const alive = (pid: number): boolean => signalled(pid, 0);

function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
