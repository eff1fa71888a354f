// The same work on several stacks at once, each line with its stack's name before it.
import { UserError } from "./user-error.ts";

/** Every one is tried; then what failed is told. */
export async function forEachStack(stacks: readonly string[], work: (stack: string, onOutput: (text: string) => void) => Promise<void>): Promise<void> {
  const names = [...new Set(stacks)];
  const results = await Promise.allSettled(names.map((name) => work(name, names.length === 1 ? (text) => process.stdout.write(text) : prefixed(name))));
  const failed = results.flatMap((result, index) => (result.status === "rejected" ? [{ name: names[index]!, reason: result.reason as Error }] : []));
  if (failed.length === 0) return;
  if (failed.length === 1 && names.length === 1) throw failed[0]!.reason;
  throw new UserError(`${failed.length} of ${names.length} failed:\n${failed.map(({ name, reason }) => `  - ${name}: ${reason.message}`).join("\n")}`);
}

function prefixed(name: string): (text: string) => void {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) process.stdout.write(`${name} | ${line}\n`);
  };
}
