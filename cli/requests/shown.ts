// What `show` has shown, so that a later `approve --yes` applies just that.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type Shown = Record<string, string>;

const fileIn = (root: string) => join(root, "shown.json");

export function shownBefore(root: string, id: string): string | undefined {
  return read(root)[id];
}

export function remember(root: string, id: string, fingerprint: string): void {
  mkdirSync(root, { recursive: true });
  const kept = Object.entries({ ...read(root), [id]: fingerprint }).slice(-200);
  writeFileSync(fileIn(root), JSON.stringify(Object.fromEntries(kept)), { mode: 0o600 });
}

function read(root: string): Shown {
  try {
    return JSON.parse(readFileSync(fileIn(root), "utf8")) as Shown;
  } catch {
    return {};
  }
}
