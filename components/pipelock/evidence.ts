// The evidence that pipelock's flight recorder keeps, on the host. pipelock 2.3 goes on with what lies in
// its folder only where it can check the last receipt there, and records nothing, without stopping
// traffic, where it cannot: after a receipt from which it took a secret, or a line cut short. It neither
// deletes nor bounds. So a closed chain is moved out of its sight, and old ones go.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** Bytes that one run of pipelock may write (its limit of a file's size); it holds as much, and more, in memory when it goes on. */
export const EVIDENCE_LIMIT = 32 * 2 ** 20;
/** Bytes of closed chains that are kept. */
const KEPT = 8 * EVIDENCE_LIMIT;
/** pipelock reads no longer line. */
const LINE_LIMIT = 2 ** 20;

/** The folder that pipelock sees, in the one for all of its evidence. */
export const liveEvidence = (evidence: string): string => join(evidence, "live");

/** Numbers of the closed chains, oldest first. */
export function closedChains(evidence: string): number[] {
  return namesIn(evidence).flatMap((name) => /^chain-(\d+)$/.exec(name)?.[1] ?? []).map(Number).sort((a, b) => a - b);
}

export const closedChain = (evidence: string, number: number): string => join(evidence, `chain-${number}`);

/** The recorder's files in a folder, in the order they were begun. */
export function recorderFiles(folder: string): string[] {
  const begun = namesIn(folder).flatMap((name) => {
    const first = /^evidence-proxy-(\d+)\.jsonl$/.exec(name)?.[1];
    return first === undefined ? [] : [{ path: join(folder, name), first: Number(first) }];
  });
  return begun.sort((a, b) => a.first - b.first).map(({ path }) => path);
}

/** Closes the chain that is there, so that the next start or reload begins a new one. A running pipelock writes on into the file it has open. */
export function closeEvidence(evidence: string): void {
  const files = recorderFiles(liveEvidence(evidence));
  if (files.length === 0) return;
  const folder = closedChain(evidence, (closedChains(evidence).at(-1) ?? 0) + 1);
  mkdirSync(folder, { mode: 0o700 });
  for (const file of files) renameSync(file, join(folder, file.slice(liveEvidence(evidence).length + 1)));
  prune(evidence);
}

function prune(evidence: string): void {
  let kept = 0;
  for (const number of closedChains(evidence).reverse()) {
    const folder = closedChain(evidence, number);
    kept += recorderFiles(folder).reduce((sum, file) => sum + statSync(file).size, 0);
    if (kept > KEPT) rmSync(folder, { recursive: true });
  }
}

/**
 * Why pipelock records nothing since its start, as it is told by its files.
 *
 * @param startedAt of its container.
 */
export function evidenceStopped(evidence: string, startedAt: string): string | undefined {
  const start = Date.parse(startedAt);
  const live = recorderFiles(liveEvidence(evidence));
  const last = closedChains(evidence).at(-1);
  const open = live.at(-1) ?? (last === undefined ? undefined : recorderFiles(closedChain(evidence, last)).at(-1));
  if (open === undefined) return undefined;
  const { size, mtimeMs } = statSync(open);
  if (mtimeMs >= start) return size >= EVIDENCE_LIMIT ? `its evidence is at its limit of ${EVIDENCE_LIMIT / 2 ** 20} MiB` : undefined;
  if (live.length === 0) return undefined;
  return [live[0]!, live.at(-1)!].every(canGoOn) ? undefined : "it cannot go on with the evidence from before its start";
}

/** Whether pipelock can read a file, and check the last receipt in it. */
function canGoOn(file: string): boolean {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  if (lines.some((line) => line.length >= LINE_LIMIT)) return false;
  try {
    const receipt = lines.map((line) => JSON.parse(line) as Entry).findLast(({ type }) => type === "action_receipt");
    return receipt === undefined || (receipt.detail?.action_record !== undefined && receipt.detail.action_record.redacted_fields === undefined);
  } catch {
    return false;
  }
}

interface Entry {
  readonly type?: string;
  readonly detail?: { readonly action_record?: { readonly redacted_fields?: unknown } };
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
