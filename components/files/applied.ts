// Whether a sidecar's rules are what the state says was put in force. A step that was stopped half way counts for
// Pulumi as not done, though the file that the sidecar reads may be the new one already; taken back in the manifest, it
// would stay. So a revision, random as those of tokens are, goes into the step's inputs, and beside the rules once the
// step is through.
import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { StateFolder } from "../state-folder.ts";
import { readIfThere } from "./read-if-there.ts";
import { setting } from "./script-io.ts";

/** Of rules that are not there yet; a file that was there and is gone makes everything anew by itself. */
const FIRST = "first";

/**
 * Environment of the step that puts rules in force: a new revision where the file says anything else.
 *
 * @param name of the step, among those of one bottle.
 */
export function appliedEnvironment({ root }: StateFolder, name: string, path: string, rules: string): { readonly REVISION: string; readonly REVISION_FILE: string } {
  const file = join(root, ".applied", name);
  const there = readIfThere(path);
  return { REVISION: there === undefined || there === rules ? (there && readIfThere(file)) || FIRST : randomUUID(), REVISION_FILE: file };
}

/** In that step, once its rules are in force. */
export function markApplied(): void {
  const file = setting("REVISION_FILE");
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, setting("REVISION"), { mode: 0o600 });
}
