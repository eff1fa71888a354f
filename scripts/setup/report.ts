import { type Part, SetupError } from "./part.ts";

/** Standard error: what `npm run -s env` prints on standard output is evaluated by the shell. */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Sets up parts in order, one line each, and stops at the first that fails.
 * @param quiet leaves out the parts where nothing had to be done
 * @returns whether all are there
 */
export async function ensureParts(parts: readonly Part[], { quiet = false } = {}): Promise<boolean> {
  for (const part of parts) {
    try {
      const { changed, detail } = await part.ensure((line) => say(`  … ${part.name}: ${line}`));
      if (changed || !quiet) say(`  ${changed ? "+" : "="} ${part.name}: ${detail}`);
    } catch (error) {
      say(error instanceof SetupError ? `  x ${error.message}` : `  x ${part.name}: ${String((error as Error).stack ?? error)}`);
      return false;
    }
  }
  return true;
}
