// Programs that the bench starts, and what Ctrl-C does: the running ones are interrupted, and what was made is taken away.
import { spawn, type ChildProcess } from "node:child_process";

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Seconds from start to exit. */
  readonly seconds: number;
}

export interface Options {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Seconds after which it is killed; 300 by default. */
  readonly timeout?: number;
}

const running = new Set<ChildProcess>();
let interrupted = false;

/** Ctrl-C and SIGTERM interrupt what runs now; a second one changes nothing, since cleaning up has to end. */
export function handleInterrupts(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      process.stderr.write(interrupted ? "still cleaning up\n" : `\n${signal}: stopping and cleaning up\n`);
      if (!interrupted) for (const child of running) child.kill("SIGINT");
      interrupted = true;
    });
  }
}

/** Forgets an interruption, so that cleaning up can start programs again. */
export function startCleanUp(): void {
  cleaning = true;
}
let cleaning = false;

/**
 * Runs a program in a process group of its own, so that the terminal's Ctrl-C does not reach it past us.
 * @throws Error with its last lines where it fails, and where the bench was interrupted
 */
export async function timed(program: string, args: readonly string[], options: Options = {}): Promise<Result> {
  const result = await attempt(program, args, options);
  if (result.code !== 0) {
    const said = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-25).join("\n");
    throw new Error(`${program} ${args.join(" ").slice(0, 300)}: exit code ${result.code}\n${said}`);
  }
  return result;
}

/** The same, but a failure is a result. @throws Error where the bench was interrupted */
export function attempt(program: string, args: readonly string[], options: Options = {}): Promise<Result> {
  if (interrupted && !cleaning) return Promise.reject(new Error("interrupted"));
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(program, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: "pipe", detached: true });
    running.add(child);
    const output: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (chunk: Buffer) => output[0].push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output[1].push(chunk));
    child.stdin.on("error", () => {}); // it may end before it has read its input
    const timer = setTimeout(() => child.kill("SIGKILL"), (options.timeout ?? 300) * 1000);
    const end = (code: number, extra = ""): void => {
      clearTimeout(timer);
      running.delete(child);
      if (interrupted && !cleaning) return reject(new Error("interrupted"));
      const [stdout, stderr] = output.map((chunks) => Buffer.concat(chunks).toString()) as [string, string];
      resolve({ code, stdout, stderr: stderr + extra, seconds: (performance.now() - start) / 1000 });
    };
    child.on("error", (error) => end(127, error.message));
    child.on("close", (code) => end(code ?? 1));
    child.stdin.end(options.input ?? "");
  });
}

/** Waits. @throws Error where the bench is interrupted meanwhile */
export async function pause(seconds: number): Promise<void> {
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    if (interrupted && !cleaning) throw new Error("interrupted");
    await new Promise((resolve) => setTimeout(resolve, Math.min(200, until - performance.now())));
  }
}
