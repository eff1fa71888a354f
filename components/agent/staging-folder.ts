// A private folder for the length of one build.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { constants, homedir, tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "bottle-workspace-";

/**
 * Gives `use` a new 0700 folder and removes it afterwards: also on failure, and when a signal ends
 * this process. What a SIGKILL left is removed by the next call.
 *
 * @param near directory whose files will be hard-linked: the folder lies on the same file system, if one is to be had.
 */
export async function withStagingFolder<T>(near: string | undefined, use: (folder: string) => Promise<T>): Promise<T> {
  const parent = stagingParent(near);
  removeStale(parent);
  const folder = mkdtempSync(join(parent, `${PREFIX}${process.pid}-`)); // 0700
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const end = (signal: NodeJS.Signals) => {
    remove();
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of signals) process.once(signal, end);
  try {
    return await use(folder);
  } finally {
    for (const signal of signals) process.off(signal, end);
    remove();
  }
}

function stagingParent(near: string | undefined): string {
  if (near === undefined) return tmpdir();
  const device = statSync(near).dev;
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  for (const candidate of [tmpdir(), cache]) {
    try {
      mkdirSync(candidate, { recursive: true });
      if (statSync(candidate).dev === device) return candidate;
    } catch {
      // not to be had
    }
  }
  return tmpdir();
}

function removeStale(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || alive(Number(pid))) continue;
    const path = join(parent, name);
    try {
      // A read-only directory of the user's tree would keep its files.
      if (statSync(path).uid === process.getuid?.()) rmSync(path, { recursive: true, force: true });
    } catch {
      // another user's, or being removed at this moment
    }
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Makes directories that the image's other users can enter, whatever the umask. */
export function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = join(at, "..")) chmodSync(at, 0o755);
}
