// The record of a decision while it is carried out, beside the lock. Where the process is killed or the power goes, the
// next command learns from it what was begun.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashOf } from "../audit/chain.ts";

export interface Deciding {
  readonly format: 1;
  /** changing: manifest and sidecars are being changed. unsettled: the manifest is done with, the sidecars may not be. */
  readonly stage: "changing" | "unsettled";
  readonly started: string;
  readonly pid: number;
  /** What the audit log says of it. */
  readonly shared: { readonly request: { readonly id: string; readonly [key: string]: unknown }; readonly diff: string; readonly [key: string]: unknown };
  /** The manifest's whole text before, and the hash of what it was changed to. */
  readonly before: string;
  readonly after: string;
}

const fileIn = (root: string): string => join(root, "deciding.json");

export function beginDeciding(root: string, { before, after, shared }: { before: string; after: string; shared: Deciding["shared"] }): Deciding {
  const deciding: Deciding = { format: 1, stage: "changing", started: new Date().toISOString(), pid: process.pid, shared, before, after: hashOf(after) };
  write(root, deciding);
  return deciding;
}

export function markUnsettled(root: string, deciding: Deciding): void {
  write(root, { ...deciding, stage: "unsettled" });
}

export function readDeciding(root: string): Deciding | undefined {
  try {
    const deciding = JSON.parse(readFileSync(fileIn(root), "utf8")) as Deciding;
    return deciding.format === 1 ? deciding : undefined;
  } catch {
    return undefined;
  }
}

export function endDeciding(root: string): void {
  rmSync(fileIn(root), { force: true });
}

/** On the disk before the manifest is touched. */
function write(root: string, deciding: Deciding): void {
  const temporary = `${fileIn(root)}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(deciding, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, fileIn(root));
  const folder = openSync(root, "r");
  fsyncSync(folder);
  closeSync(folder);
}
