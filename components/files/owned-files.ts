// Files for one uid: written whole or not at all, never readable by another user on the way.
import { chmodSync, chownSync, lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Who is to own a file; ignored where the process is not root. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Makes a folder of mode 0700 (and its parents, which stay the caller's) for the owner. */
export function ownedFolder(path: string, owner: Owner, mode = 0o700): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, mode);
  giveTo(path, owner);
}

/**
 * Writes a file by temp + rename, so that a reader sees the old or the new one.
 *
 * @param mode 0o600 unless others must read it.
 */
export function ownedFile(path: string, content: string | Buffer, owner: Owner, mode = 0o600): void {
  const temporary = join(dirname(path), `.${process.pid}.tmp`);
  try {
    writeFileSync(temporary, content, { mode: 0o600, flag: "wx" });
    giveTo(temporary, owner);
    chmodSync(temporary, mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function giveTo(path: string, { uid, gid }: Owner): void {
  if (process.getuid?.() !== 0) return;
  const now = lstatSync(path);
  if (now.uid !== uid || now.gid !== gid) chownSync(path, uid, gid);
}
