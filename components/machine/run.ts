// Runs a program of this machine and returns what it said.
import { spawn } from "node:child_process";

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Milliseconds after which the program is killed; code is then 124. */
  readonly timeout?: number;
  /** Ends the program when it aborts. */
  readonly signal?: AbortSignal;
  /** Called with each piece of stderr and stdout as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** Never throws for a non-zero exit; code 127 where the program is not there. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: options.env ?? process.env, cwd: options.cwd, stdio: ["pipe", "pipe", "pipe"] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let timedOut = false;
    const timer = options.timeout === undefined ? undefined : setTimeout(() => ((timedOut = true), child.kill("SIGKILL")), options.timeout);
    child.stdout.on("data", (chunk: Buffer) => (stdout.push(chunk), options.onOutput?.(chunk.toString())));
    child.stderr.on("data", (chunk: Buffer) => (stderr.push(chunk), options.onOutput?.(chunk.toString())));
    options.signal?.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
    child.stdin.on("error", () => {}); // the program may end before it has read its input
    child.on("error", (error) => finish(127, `${program}: ${error.message}`));
    child.on("close", (code) => finish(timedOut ? 124 : (code ?? 1), ""));
    child.stdin.end(options.input ?? "");
    const finish = (code: number, extra: string) => {
      clearTimeout(timer);
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() + extra });
    };
  });
}
