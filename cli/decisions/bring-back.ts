// The way back from a decision that was not carried out: the manifest, and what the sidecars hold.
import { renameSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readIfThere } from "../../components/files/read-if-there.ts";
import { hashOf } from "../audit/chain.ts";
import { plain } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { endDeciding, markUnsettled, type Deciding } from "./deciding.ts";
import type { Place } from "./in-force.ts";
import { behind, removeRules, ruleFiles } from "./rule-files.ts";
import { Locked, releaseLock, update, type Update } from "./update.ts";

export type PutBack = "put back" | "as before" | "changed since";

/** The manifest as it was, where it still is exactly what the decision has made of it. */
export function putManifestBack(file: string, { before, after }: Pick<Deciding, "before" | "after">): PutBack {
  const now = readIfThere(file);
  if (now === before) return "as before";
  if (now === undefined || hashOf(now) !== after) return "changed since";
  replaceFile(file, before);
  return "put back";
}

/** Whole or not at all, with the rights that it had. */
export function replaceFile(file: string, text: string): void {
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}`);
  writeFileSync(temporary, text, { mode: statSync(file).mode & 0o777, flush: true });
  renameSync(temporary, file);
}

/** Manifest and sidecars. @returns undefined where everything is as before; else what is not, and the record stays. */
export async function bringBack(file: string, deciding: Deciding, place: Place, options: Omit<Update, "stopAt">): Promise<string | undefined> {
  markUnsettled(place.root, deciding);
  if (putManifestBack(file, deciding) === "changed since") return `${basename(file)}: was changed meanwhile and is left as it is; take the change out by hand`;
  try {
    options.interrupts.checkAgain();
    await settle(place, () => updateBack(options));
    return undefined;
  } catch (error) {
    return plain((error as Error).message, true);
  }
}

/**
 * Updates until the sidecars hold what the manifest says, and ends the record. An update writes each file that says
 * anything else; a sidecar that was stopped half way on its way back may still hold other rules than its file. Such a file is
 * taken away, which makes the step run again.
 */
export async function settle(place: Place, updateOnce: () => Promise<void>): Promise<void> {
  await updateOnce();
  const again = await behind(ruleFiles(place.root), place.composeProject);
  if (again.length > 0) {
    for (const name of again) removeRules(place.root, name);
    await updateOnce();
    const still = await behind(ruleFiles(place.root), place.composeProject);
    if (still.length > 0) throw new UserError(`${still.join(", ")}: does not take its rules`, "Look at what it says: bottle logs STACK SERVICE");
  }
  endDeciding(place.root);
}

/** Also after an update of ours that was killed, and has left its lock. */
export async function updateBack(options: Omit<Update, "stopAt">): Promise<void> {
  const back: Update = { ...options, stopAt: 2 };
  try {
    await update(back);
  } catch (error) {
    if (!(error instanceof Locked && error.stale)) throw error;
    await releaseLock(back);
    await update(back);
  }
}
