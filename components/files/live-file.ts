// A file that a running sidecar reads: a new one is checked beside it before it takes its place.
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ownedFile, ownedFolder, type Owner } from "./owned-files.ts";

/** Where the candidate lies while it is checked, in the folder of the file it is to replace. */
export function candidateName(name: string): string {
  return name.replace(/(\.[^.]*)?$/, ".next$1");
}

/**
 * Replaces the file once `check` has passed. A candidate that fails it is removed and the old file stays.
 *
 * @param check is given the folder; it looks at {@link candidateName}.
 * @returns the old content; undefined where there was no file.
 */
export async function replaceChecked(path: string, content: string, owner: Owner, check: (folder: string) => Promise<void>): Promise<string | undefined> {
  const folder = dirname(path);
  const candidate = join(folder, candidateName(path.slice(folder.length + 1)));
  ownedFolder(folder, owner);
  ownedFile(candidate, content, owner);
  try {
    await check(folder);
  } catch (error) {
    rmSync(candidate, { force: true });
    throw error;
  }
  const old = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  renameSync(candidate, path);
  return old;
}
