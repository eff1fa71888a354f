import { randomBytes } from "node:crypto";
import { run } from "../../scripts/setup/exec.ts";

export { run };

/**
 * Runs a command and returns its standard output without the last line's end.
 * @throws Error with the command's output if its exit code is not 0
 */
export async function ok(command: string, args: readonly string[], options: Parameters<typeof run>[2] = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  return stdout.replace(/\n$/, "");
}

/** A name that no other test, run or clone has: `bt-<prefix>-<8 hex digits>`. */
export function uniqueName(prefix: string): string {
  return `bt-${prefix}-${randomBytes(4).toString("hex")}`;
}

/** Waits until a check holds, looking every 100 ms. @throws Error with `what` after `timeout` ms */
export async function until(what: string, check: () => boolean | Promise<boolean>, timeout = 30_000): Promise<void> {
  const deadline = Date.now() + timeout;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
