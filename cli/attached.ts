// Programs that take over this terminal.
import { spawn } from "node:child_process";
import { constants } from "node:os";

/** Runs a program on this terminal; its exit code. */
export function attached(program: string, args: readonly string[], options: { readonly env: NodeJS.ProcessEnv; readonly cwd?: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: "inherit" });
    // The terminal sends it to the child as well.
    const ignore = (): void => {};
    process.on("SIGINT", ignore);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", ignore);
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}
