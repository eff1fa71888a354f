// A request and its proposal on the terminal.
import { parseDocument } from "yaml";
import { bold, dim, green, plain, plainValue, red, span } from "../terminal.ts";
import type { Proposal } from "./proposal.ts";
import type { Entry } from "./read.ts";
import { liftsInspection } from "../manifest/proxy-change.ts";
import { isGit, type Change } from "./request.ts";
import { inWords } from "./words.ts";

/** @param manifest the stack's, for what the change means there */
export function printRequest(entry: Entry, change = entry.request as Change | undefined, manifest = ""): string {
  const { request } = entry;
  if (!request) return `${bold(entry.id)} of bottle ${entry.stack}: malformed (${plain(entry.malformed ?? "")}). It can only be rejected.\n`;
  const now = Date.now();
  return [
    `${bold(entry.id)} of bottle ${bold(entry.stack)}: ${request.kind}, ${entry.state}`,
    `  asked    ${span(now - Date.parse(request.created_at))} ago${entry.state === "open" ? `, for ${span(Date.parse(request.expires_at) - now)} more` : ""}`,
    `  why      ${plain(request.why)}`,
    `  lasting  ${request.for_seconds ? span(request.for_seconds * 1000) : "for good"}`,
    `  asks     ${JSON.stringify(plainValue(request.change))}`,
    ...inWords(change!, !isGit(change!) && liftsInspection(parseDocument(manifest), change!, now)).map((line, index) => `  ${index === 0 ? "allows  " : "        "} ${line}`),
    "",
  ].join("\n");
}

export function printProposal(proposal: Proposal): string {
  const { diff, preview, pending, tidied, lasts, policies, obstacle } = proposal;
  const coloured = plain(diff, true).split("\n").map((line) => (/^\+(?!\+\+)/.test(line) ? green(line) : /^-(?!--)/.test(line) ? red(line) : line)).join("\n");
  return [
    `${bold("The change of the manifest")}${lasts === undefined ? "" : ` (for ${span(lasts)}, counted from the approval)`}`,
    coloured.trimEnd(),
    "",
    bold(`pulumi preview of it${policies ? ", with the policy pack" : ""}`),
    plain(preview.output, true),
    ...(tidied.length > 0 ? ["", `Past their end, and tidied away by this update: ${tidied.join(", ")}`] : []),
    ...(pending.length > 0 ? ["", bold("Apart from it, and NOT part of this approval"), ...pending.map(({ op, name, type }) => `  ${op} ${name} ${dim(`(${type})`)}`)] : []),
    ...(obstacle ? ["", red(`Cannot be approved now: ${plain(obstacle.problem, true)}`), `  mend:  ${obstacle.mend}`] : []),
    "",
  ].join("\n");
}
