// What the last good `up` left on the machine. By it a look at the engine tells drift from a change of
// the manifest, and a repair that is done from one that is still to come.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ownedFile, type Owner } from "../files/owned-files.ts";
import { liveEvidence } from "../pipelock/evidence.ts";
import type { StateFolder } from "../state-folder.ts";

/** A dot file: `rm -rf state/<slug>/*` leaves it, and every file that it names counts as missing. */
const RECORD_FILE = ".applied.json";

export interface Applied {
  /** Hash of docker-compose.yml as `up` wrote it. */
  readonly composeFile: string;
  /** Compose's own hash of each service's container. */
  readonly services: Readonly<Record<string, string>>;
  /** Rendered files, and folders that containers write to, relative to `state/<slug>/`. */
  readonly files: readonly string[];
  /** The last repair, `<number>: <what was found>`; it stays in the inputs of `up`. */
  readonly repair?: string;
  /** The last one that made the agent's container anew. */
  readonly agentRepair?: string;
}

export function readApplied(root: string): Applied | undefined {
  try {
    return JSON.parse(readFileSync(join(root, RECORD_FILE), "utf8")) as Applied;
  } catch {
    return undefined;
  }
}

export function writeApplied(root: string, applied: Applied, owner: Owner): void {
  ownedFile(join(root, RECORD_FILE), `${JSON.stringify(applied, null, 2)}\n`, owner);
}

export function fingerprint(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * What is there of the files that `up` and the steps before it render, relative to the folder. Of evidence its folders:
 * no container starts without what it mounts.
 */
export function renderedFiles(folder: StateFolder): string[] {
  const { rules, ca, trust } = folder.egress;
  const evidence = [liveEvidence(folder.pipelock.evidence), folder.egress.evidence, folder.gitGate.evidence];
  const folders = [folder.pipelock.config, folder.pipelock.ca, folder.pipelock.trust, rules, ca, trust, folder.gitGate.config, folder.gitGate.trust, folder.agent.ca];
  const inFolders = folders.flatMap((path) => filesIn(path).map((name) => join(path, name)));
  return [folder.composeFile, folder.metadata, ...evidence, ...inFolders].filter((path) => existsSync(path)).map((path) => relative(folder.root, path)).sort();
}

/** Without dot files and candidates, which come and go. */
function filesIn(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isFile() && !/^\.|\.next(\.|$)/.test(entry.name) ? [entry.name] : []));
}
