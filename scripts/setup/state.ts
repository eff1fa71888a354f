import { randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { backendFolder, passphraseFile, usesLocalBackend, usesOwnPassphrase } from "./environment.ts";
import { type Part, SetupError } from "./part.ts";

const name = "Pulumi state";

/**
 * The folder of the local backend and the passphrase file, unless the user's own settings name others. The passphrase
 * is 32 random bytes as base64, 0600 in a 0700 folder, and never changed once it is there.
 */
export const pulumiState: Part = {
  name,
  ensure() {
    try {
      return Promise.resolve({ changed: [ensureBackend(), ensurePassphrase()].some(Boolean), detail: describe() });
    } catch (error) {
      const { message } = error as Error;
      const mend = "Make that folder writable for you, or set PULUMI_BACKEND_URL and PULUMI_CONFIG_PASSPHRASE_FILE yourself.";
      return Promise.reject(error instanceof SetupError ? error : new SetupError(name, { problem: message, mend }));
    }
  },
};

function ensureBackend(): boolean {
  if (!usesLocalBackend() || existsSync(backendFolder)) return false;
  mkdirSync(backendFolder, { recursive: true, mode: 0o700 });
  return true;
}

function ensurePassphrase(): boolean {
  if (!usesOwnPassphrase()) return false;
  const file = passphraseFile();
  if (existsSync(file)) {
    const { mode, size } = statSync(file);
    if ((mode & 0o077) !== 0) {
      throw new SetupError(name, { problem: `others can read ${file}.`, mend: `chmod 600 ${file}` });
    }
    if (size === 0) {
      throw new SetupError(name, { problem: `${file} is empty.`, mend: "Put the passphrase of your stacks back into it; if there are no stacks yet, remove the file." });
    }
    return false;
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // Written aside and linked: two set-ups at once end with one passphrase, and nobody reads half of it.
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
  try {
    linkSync(unfinished, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(unfinished);
  }
  return true;
}

function describe(): string {
  const backend = usesLocalBackend() ? backendFolder : process.env["PULUMI_BACKEND_URL"];
  return `${backend}, passphrase ${usesOwnPassphrase() ? `in ${passphraseFile()}` : "your own"}`;
}
