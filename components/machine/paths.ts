// Paths as a manifest writes them.
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Absolute: counted from the Pulumi project, `~/` from the user's home. */
export function resolvePath(project: string, path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(project, path);
}
