// The evidence of pipelock's flight recorder: JSON lines in the format of pipelock 2.3, each with the hash
// of its fields and that of the line before it. pipelock's own command checks receipts only where no
// secret was taken from one and nothing was deleted, so the format is read here.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { closedChain, closedChains, liveEvidence, recorderFiles } from "../../components/pipelock/evidence.ts";
import type { Checked } from "./chain.ts";

/** `prev_hash` of a chain's first line. */
const GENESIS = "genesis";

const text = String.raw`"(?:[^"\\]|\\.)*"`;
/** A line as Go writes it: the hash is over the very bytes of `detail`. */
const ENTRY = new RegExp(
  String.raw`^\{"v":(?<v>\d+),"seq":(?<seq>\d+),"ts":(?<ts>${text}),"session_id":(?<session>${text}),"type":(?<type>${text}),` +
    String.raw`"transport":(?<transport>${text}),"summary":(?<summary>${text}),"detail":(?<detail>.*),"prev_hash":"(?<prev>[0-9a-f]{64}|genesis)","hash":"(?<hash>[0-9a-f]{64})"\}$`,
);

/** Checks the closed chains and the one that is being written. */
export function checkPipelock(evidence: string): Checked {
  const broken: string[] = [];
  const odd: string[] = [];
  const hashes = new Set<string>();
  let head: string | undefined;
  let lines = 0;
  const closed = closedChains(evidence);
  closed.forEach((number, index) => {
    if (index > 0 && number !== closed[index - 1]! + 1) broken.push(`${closedChain(evidence, number)}: the chain before it is missing`);
  });
  const fromStart = closed.length === 0 || closed[0] === 1;
  if (!fromStart) odd.push(`${closedChain(evidence, closed[0]!)}: older chains were deleted for space; they cannot be checked`);

  for (const path of [...closed.map((number) => closedChain(evidence, number)), liveEvidence(evidence)].flatMap(recorderFiles)) {
    const all = readFileSync(path, "utf8").split("\n");
    const whole = all.pop() === "";
    all.forEach((line, index) => {
      lines++;
      const at = `${path}:${index + 1}`;
      const entry = ENTRY.exec(line)?.groups;
      if (entry === undefined) {
        broken.push(`${at}: is no line of pipelock's evidence`);
        return;
      }
      // A start or reload after a closed chain begins anew, in a file of its own.
      const begins = index === 0 && entry["prev"] === GENESIS && entry["seq"] === "0";
      if (!begins && entry["prev"] !== head) broken.push(`${at}: prev_hash is not the hash of the line before it: a line was changed, taken out or put in here`);
      const summary = JSON.parse(entry["summary"]!) as string;
      if (summary.includes("\ufffd")) odd.push(`${at}: its hash cannot be computed: it stood for bytes that are no text`);
      else if (hashOf(entry, summary) !== entry["hash"]) broken.push(`${at}: was changed: its hash is not that of what it says`);
      head = entry["hash"]!;
      hashes.add(head);
    });
    if (!whole) odd.push(`${path}: does not end with a whole line; pipelock was stopped while writing, or the file is at its limit`);
  }
  return { lines, chained: lines > 0, head, hashes, fromStart, broken, odd };
}

function hashOf(entry: Record<string, string | undefined>, summary: string): string {
  const said = (name: string) => JSON.parse(entry[name]!) as string;
  const fields = [entry["v"], entry["seq"], said("ts"), said("session"), "", said("type"), said("transport"), summary, entry["detail"], "", entry["prev"]];
  return createHash("sha256").update(fields.join("\0")).digest("hex");
}
