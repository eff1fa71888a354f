// How a Pulumi Command runs one of our own scripts.
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** Quotes a text for POSIX sh. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * Command line that runs a script beside the calling module with the Node that runs Pulumi
 * programs. `exec`: cancelling an update kills only the direct child.
 *
 * @param name module name without extension, relative to `base`.
 * @param base the caller's `import.meta.url`: in the published package scripts are `.js`.
 */
export function nodeScript(name: string, base: string): string {
  return `exec node --disable-warning=ExperimentalWarning ${shellQuote(fileURLToPath(new URL(`${name}${extname(fileURLToPath(base))}`, base)))}`;
}

/**
 * What all our Commands have in common: nothing of their output in the log or in the state. Lines
 * over 64 KiB hang the provider with its default logging, and large output breaks a later delete.
 */
export const quiet = { logging: "none", addPreviousOutputInEnv: false } as const;
