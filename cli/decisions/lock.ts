// One decision at a time on one bottle. The kernel holds the lock (flock(2)), so it ends with its process however that
// ends, and no process id that is used again can hold it.
import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { span } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { hostUser } from "./answer.ts";

/** Written into the lock's file for those who find it held. */
interface Holder {
  readonly pid: number;
  readonly by: string;
  readonly since: string;
  readonly doing: string;
}

/** Runs `work` alone. @param doing the command, for others. @throws UserError that names who decides now */
export async function alone<T>(root: string, doing: string, work: () => Promise<T>): Promise<T> {
  const lock = take(root, doing);
  if ("holder" in lock) throw new UserError(`another decision on this bottle is under way: ${lock.holder}`, "Wait for it and try again.");
  try {
    return await work();
  } finally {
    closeSync(lock.descriptor);
  }
}

/** The same, but undefined at once where a decision is under way. */
export async function aloneIfFree<T>(root: string, doing: string, work: () => Promise<T>): Promise<T | undefined> {
  const lock = take(root, doing);
  if ("holder" in lock) return undefined;
  try {
    return await work();
  } finally {
    closeSync(lock.descriptor);
  }
}

function take(root: string, doing: string): { descriptor: number } | { holder: string } {
  mkdirSync(root, { recursive: true });
  const file = join(root, ".deciding");
  const descriptor = openSync(file, "a", 0o644);
  try {
    // The lock is the open file's, which flock(1) shares with this process; Node's children inherit no other descriptor.
    const { status, error, stderr } = spawnSync("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "pipe", descriptor], encoding: "utf8" });
    if (error) throw new UserError(`flock: ${error.message}`, "Install util-linux (macOS: brew install flock).");
    if (status === 0) {
      ftruncateSync(descriptor);
      writeSync(descriptor, JSON.stringify({ pid: process.pid, by: hostUser(), since: new Date().toISOString(), doing } satisfies Holder));
      return { descriptor };
    }
    if (status !== 1) throw new UserError(`flock: ${file}: ${stderr.trim()}`);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  closeSync(descriptor);
  return { holder: holderIn(file) };
}

function holderIn(file: string): string {
  try {
    const { pid, by, since, doing } = JSON.parse(readFileSync(file, "utf8")) as Holder;
    return `bottle ${doing}, of ${by}, process ${pid}, for ${span(Date.now() - Date.parse(since))}`;
  } catch {
    return "it has only just begun";
  }
}
