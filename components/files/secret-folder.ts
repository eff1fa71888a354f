// One sidecar's secrets: a folder that it alone mounts, in memory where the machine can.
import { chmodSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { REVISION_FILE } from "../machine/secrets.ts";
import { ownedFile, ownedFolder, type Owner } from "./owned-files.ts";

/**
 * Makes the folder (0700) hold just these secrets (0600), by temp + rename; the revision comes last.
 *
 * @param secrets value by id, which is the file's name.
 */
export function fillSecretFolder(folder: string, owner: Owner, secrets: ReadonlyMap<string, string>, revision: string): void {
  ownedFolder(folder, owner);
  // Fails where another user of the machine made one of them first: /dev/shm is everybody's.
  for (const parent of [dirname(folder), dirname(dirname(folder))]) chmodSync(parent, 0o700);
  for (const [id, value] of secrets) ownedFile(join(folder, id), value, owner);
  for (const name of readdirSync(folder)) if (name !== REVISION_FILE && !secrets.has(name)) rmSync(join(folder, name));
  ownedFile(join(folder, REVISION_FILE), revision, owner);
}
