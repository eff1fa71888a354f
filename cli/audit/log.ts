// The record of decisions, and the heads of every evidence file anchored beside and outside of it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { hostUser } from "../decisions/answer.ts";
import { appendChained, checkChain, rotations, type Checked } from "./chain.ts";
import { checkPipelock } from "./pipelock.ts";

export interface Head {
  /** Relative to `state/<slug>`. */
  readonly file: string;
  /** SHA-256 of its last line. */
  readonly head: string;
}

export interface Anchor {
  readonly time: string;
  readonly bottle: string;
  readonly heads: readonly Head[];
}

export const auditFile = (root: string): string => join(root, "audit.jsonl");

/** Outside the project: who rewrites its files must find this one too. */
export function anchorFile(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment["XDG_CONFIG_HOME"] || join(homedir(), ".config"), "bottle", "anchors.jsonl");
}

/** Writes a decision, then anchors. */
export function record(root: string, event: { readonly kind: string; readonly [key: string]: unknown }): void {
  appendChained(auditFile(root), { time: new Date().toISOString(), by: hostUser(), ...event });
  anchor(root);
}

/** Writes the heads of the bottle's evidence into audit.jsonl, and those with audit.jsonl's own into the file outside. */
export function anchor(root: string): void {
  const time = new Date().toISOString();
  const heads = evidenceFiles(root).filter((file) => file !== "audit.jsonl").flatMap((file) => headOf(root, file) ?? []);
  const head = appendChained(auditFile(root), { time, by: hostUser(), kind: "anchor", heads });
  appendChained(anchorFile(), { time, bottle: root, heads: [...heads, { file: "audit.jsonl", head }] } satisfies Anchor);
}

function headOf(root: string, file: string): Head | undefined {
  const { head, chained } = checkEvidence(root, file);
  return chained && head !== undefined ? { file, head } : undefined;
}

/** pipelock keeps a folder in a format of its own; see checkPipelock. */
const PIPELOCK = join("evidence", "pipelock");

/** @param file as {@link evidenceFiles} names it. */
export function checkEvidence(root: string, file: string): Checked {
  return file === PIPELOCK ? checkPipelock(join(root, file)) : checkChain(join(root, file));
}

/** audit.jsonl, every evidence file that is there, without rotations, and the folder of pipelock's, relative to `state/<slug>`. */
export function evidenceFiles(root: string): string[] {
  const folder = join(root, "evidence");
  const found = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  const evidence = found.filter((entry) => entry.isFile() && /\.jsonl(\.\d+)?$/.test(entry.name)).map((entry) => {
    const path = relative(root, join(entry.parentPath, entry.name)).replace(/\.\d+$/, "");
    return path.startsWith(`${PIPELOCK}/`) ? PIPELOCK : path;
  });
  return [...new Set([...(rotations(auditFile(root)).length > 0 ? ["audit.jsonl"] : []), ...evidence.sort()])];
}

/** Anchors of a bottle, oldest first. */
export function anchorsOf(root: string): Anchor[] {
  try {
    return readFileSync(anchorFile(), "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line) as Anchor).filter(({ bottle }) => bottle === root);
  } catch {
    return [];
  }
}

