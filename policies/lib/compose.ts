// Compose files as they stand in the stdin of a command.
import { parseAllDocuments } from "yaml";
import { isObject, UNKNOWN, type Plain } from "./values.ts";

export const COMMANDS: ReadonlySet<string> = new Set(["command:local:Command", "command:remote:Command"]);

/** A Compose file that was read. */
export interface ComposeFile {
  readonly document: Plain;
  readonly services: Plain;
}

/** A Compose file, why there is none that can be read, or undefined where a text is none. */
export type Reading = { readonly file: ComposeFile } | { readonly fault: string } | undefined;

/** The last few: each rule asks for the same text. */
const readings = new Map<string, Reading>();
const KEPT = 16;

/** Reads a command's stdin. */
export function readCompose(type: string, inputs: Plain): Reading {
  const text = inputs["stdin"];
  if (!COMMANDS.has(type) || typeof text !== "string") return undefined;
  if (!readings.has(text)) {
    if (readings.size >= KEPT) readings.delete(readings.keys().next().value!);
    readings.set(text, read(text));
  }
  return readings.get(text);
}

function read(text: string): Reading {
  if (!/(^|[\s{,])["']?services["']?\s*:/.test(text)) return undefined;
  // Anchors and merge keys are resolved, as Compose does; prettyErrors would quote the text.
  const documents = parseAllDocuments(text, { merge: true, prettyErrors: false, logLevel: "silent" });
  if (!Array.isArray(documents)) return undefined;
  try {
    if (documents.some((document) => document.errors.length + document.warnings.length > 0)) return { fault: "is no YAML that this pack can read" };
    const values = documents.map((document) => document.toJS() as unknown);
    const found = values.find((value): value is Plain => isObject(value) && "services" in value);
    if (found === undefined) return undefined;
    if (values.length > 1) return { fault: "has several YAML documents, which Compose lays over each other" };
    const { services } = found;
    if (!isObject(services)) return { fault: "has services that are no mapping" };
    return { file: { document: found, services } };
  } catch {
    return { fault: "is no YAML that this pack can read" };
  }
}

/** The Compose file's own project name, else the one on the command line; undefined where neither says. */
export function projectName({ document }: ComposeFile, inputs: Plain): string | undefined {
  if (typeof document["name"] === "string") return document["name"];
  const create = inputs["create"] === UNKNOWN ? "" : String(inputs["create"] ?? "");
  return /(?:^|\s)(?:-p|--project-name)[\s=]+["']?([a-z0-9][a-z0-9_-]*)/.exec(create)?.[1];
}
