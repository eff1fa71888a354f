import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";

/** What a finished command left behind. */
export interface Result {
  /** Exit code; 127 if the program was not found, 128 + signal number if a signal ended it. */
  code: number;
  stdout: string;
  stderr: string;
  /** True if {@link RunOptions.timeout} ended it. */
  timedOut: boolean;
}

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Written to the command's standard input, which is otherwise empty. */
  input?: string;
  /** Milliseconds after which the command's whole process group is ended (SIGTERM, 2 s later SIGKILL). */
  timeout?: number;
  /** Called with each piece of output as it comes. */
  onOutput?: (text: string, stream: "stdout" | "stderr", child: ChildProcess) => void;
}

/** Runs a command to its end. Never throws for a command that fails: look at `code`. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
      // A group of its own, so that a time-out reaches grandchildren too.
      detached: options.timeout !== undefined,
    });
    let stdout = "";
    let stderr = "";
    let timedOut = false;
    const timers: NodeJS.Timeout[] = [];
    if (options.timeout !== undefined) {
      timers.push(
        setTimeout(() => {
          timedOut = true;
          endGroup(child, "SIGTERM");
          timers.push(setTimeout(() => endGroup(child, "SIGKILL"), 2_000));
        }, options.timeout),
      );
    }
    const finish = (code: number): void => {
      timers.forEach(clearTimeout);
      resolve({ code, stdout, stderr, timedOut });
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      options.onOutput?.(text, "stdout", child);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      options.onOutput?.(text, "stderr", child);
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      stderr += error.message;
      finish(error.code === "ENOENT" ? 127 : 126);
    });
    child.on("close", (code, signal) => finish(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    // A command that ends without reading its input is no fault of ours.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // Already gone.
  }
}

/** Runs a command on this terminal and passes SIGINT, SIGTERM and SIGHUP on to it. Resolves to its exit code. */
export function runAttached(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: "inherit" });
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    for (const signal of signals) process.on(signal, pass);
    const done = (): void => signals.forEach((signal) => process.off(signal, pass));
    child.on("error", (error) => {
      done();
      reject(error);
    });
    child.on("close", (code, signal) => {
      done();
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}

/** The last `count` non-empty lines of a text. */
export function lastLines(text: string, count: number): string {
  return text.split(/\r?\n/).filter((line) => line.trim() !== "").slice(-count).join("\n");
}
