import { readFileSync } from "node:fs";

/** A text file; undefined where it cannot be read, which is mostly that it is not there. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
