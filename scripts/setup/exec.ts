import { spawn } from "node:child_process";
import { constants } from "node:os";

export { run } from "../../components/machine/run.ts";

/** What `run` gives as exit code for a command that its time-out ended. */
export const TIMED_OUT = 124;

/** Runs a command on this terminal and passes SIGTERM and SIGHUP on to it. Resolves to its exit code. */
export function runAttached(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: "inherit" });
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
    const pass = (signal: NodeJS.Signals) => signal !== "SIGINT" && child.kill(signal);
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
