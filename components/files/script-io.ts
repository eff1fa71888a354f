// What the scripts that Pulumi Commands run have in common.
import { readFileSync } from "node:fs";
import type { Owner } from "./owned-files.ts";

/** Standard input, whole. */
export function input(): string {
  return readFileSync(0, "utf8");
}

/** A variable the Command must have set. */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: this script is run by \`pulumi up\``);
  return value;
}

/** `OWNER=uid:gid`. */
export function owner(): Owner {
  const [uid, gid] = setting("OWNER").split(":").map(Number);
  return { uid: uid!, gid: gid! };
}

/** Runs a script: a failure is one message on stderr, without a stack, and exit code 1. */
export async function main(script: () => Promise<void> | void): Promise<void> {
  try {
    await script();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
