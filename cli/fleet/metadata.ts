// What a bottle's metadata.json says, as far as the fleet is asked for.
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Metadata {
  readonly created_at?: string;
  /** Where Pulumi keeps its stack, without credentials. */
  readonly backend?: string;
  readonly organization?: string;
}

/** @param folder `state/<slug>`; nothing is known where it, or the file, is gone. */
export function readMetadata(folder: string | undefined): Metadata {
  try {
    const { created_at, backend, organization } = JSON.parse(readFileSync(join(folder ?? "", "metadata.json"), "utf8")) as Record<string, unknown>;
    return Object.fromEntries(Object.entries({ created_at, backend, organization }).filter(([, value]) => typeof value === "string"));
  } catch {
    return {};
  }
}
