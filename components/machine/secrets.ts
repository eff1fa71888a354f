// Tokens and keys on their way from the host to the one sidecar that uses them: through a folder in
// memory, never through a file on disk, the state, or a container's environment.
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { readIfThere } from "../files/read-if-there.ts";

/** File that names the set of secrets in a sidecar's folder; random, so that it tells nothing of them. */
export const REVISION_FILE = ".revision";

const TMPFS_MAGIC = 0x01021994;

/**
 * The bottle's own folder in memory, 0700, with one folder a sidecar: under the user's run-time
 * directory, else /dev/shm. undefined where the machine has neither (macOS, Windows).
 */
export function memoryFolder(instance: string, uid = process.getuid?.() ?? -1): string | undefined {
  const parents = [`/run/user/${uid}`, "/dev/shm"];
  const parent = parents.find((path) => existsSync(path) && statfsSync(path).type === TMPFS_MAGIC);
  return parent && join(parent, `bottle-${uid}`, instance);
}

/**
 * The revision of a sidecar's secrets: the one in its folder where it holds just these, else a new
 * random one. So `up` notices a changed token while the state never holds anything derived from it.
 *
 * @param values secret by id; undefined: not set.
 */
export function secretRevision(folder: string | undefined, values: ReadonlyMap<string, string | undefined>): string {
  if (values.size === 0) return "none";
  // Without such a folder the tokens cannot be compared: Compose itself sees a changed variable.
  if (folder === undefined) return "inherited";
  const stored = readIfThere(join(folder, REVISION_FILE));
  const same = [...values].every(([id, value]) => readIfThere(join(folder, id)) === (value || undefined));
  const stale = list(folder).some((name) => name !== REVISION_FILE && !values.has(name));
  return stored !== undefined && same && !stale ? stored : randomUUID();
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
