// A decision carried out: manifest, update, sidecars asked, record, and only then the answer.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { readIfThere } from "../../components/files/read-if-there.ts";
import { record } from "../audit/log.ts";
import type { Project } from "../project.ts";
import { plain } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { writeAnswer } from "./answer.ts";
import { bringBack, putManifestBack, replaceFile } from "./bring-back.ts";
import { beginDeciding, endDeciding, markUnsettled, type Deciding } from "./deciding.ts";
import { notInForce, placeOf } from "./in-force.ts";
import { Interrupts } from "./interrupts.ts";
import { alone } from "./lock.ts";
import { changeManifest } from "../manifest/manifest-change.ts";
import { endOf, type Proposal } from "../requests/proposal.ts";
import { readEntry, type Entry } from "../requests/read.ts";
import { update } from "./update.ts";

/** The manifest or the request is not what was shown any more: show it anew. */
export class Changed extends UserError {}

export interface Granted {
  /** Of the stack, where its backend counts. */
  readonly version?: number;
  readonly until?: string;
  /** Milliseconds from the decision until the sidecars said that the rule holds. */
  readonly took: number;
}

/** @throws Changed, or UserError where the update failed or was interrupted; then everything is as before, and the answer is "failed". */
export function grant(project: Project, proposal: Proposal, tell: (line: string) => void): Promise<Granted> {
  const { entry, file, before, change, lasts, login, request } = proposal;
  return alone(entry.root, `approve ${entry.id}`, () => {
    checkCurrent(entry);
    if (readFileSync(file, "utf8") !== before) throw new Changed(`Pulumi.${entry.stack}.yaml: was changed since it was shown`, undefined, 3);
    // Its time begins now, not when it was shown; nothing else differs from what was.
    const until = endOf(lasts);
    const { text: after, diff } = changeManifest(before, basename(file), change, { until, login });
    const shared = { request: { id: entry.id, hash: entry.hash, kind: request.kind, asked: request.change, why: request.why }, granted: change.change, until: until ?? null, diff };
    return Interrupts.during((interrupts) => carryOut({ project, proposal, after, until, shared, interrupts, tell }));
  });
}

interface Order {
  readonly project: Project;
  readonly proposal: Proposal;
  /** The manifest with the change. */
  readonly after: string;
  readonly until: string | undefined;
  readonly shared: Deciding["shared"];
  readonly interrupts: Interrupts;
  readonly tell: (line: string) => void;
}

async function carryOut({ project, proposal, after, until, shared, interrupts, tell }: Order): Promise<Granted> {
  const { entry, file, before, change, stack } = proposal;
  const { id, root } = entry;
  const place = placeOf(project, entry.stack);
  const begun = Date.now();
  const deciding = beginDeciding(root, { before, after, shared });
  const unlisten = interrupts.listen((count) => {
    if (count === 1) return tell("interrupted: what has begun is stopped, then the old manifest and rules are brought back; once more leaves the rules to a later `bottle up`");
    // The manifest at least, before anything else.
    markUnsettled(root, deciding);
    putManifestBack(file, deciding);
    tell("interrupted again: leaving as soon as pulumi has ended");
  });
  let version: number | undefined;
  let took = 0;
  try {
    replaceFile(file, after);
    tell("pulumi up");
    const options = { project, stack: entry.stack, root, interrupts };
    try {
      await update({ ...options, message: `bottle approve ${id}`, stopAt: 1 });
      interrupts.check();
      tell("asking the sidecars");
      const lacking = await interrupts.over(notInForce(place, change));
      took = Date.now() - begun;
      version = await interrupts.over(stack.info().then((info) => info?.version, () => undefined));
      if (lacking !== undefined) throw new UserError(`the update went through, but the rule is not in force: ${lacking}`);
    } catch (error) {
      const stopped = interrupts.interrupted;
      const why = stopped?.message ?? plain((error as Error).message, true);
      tell(`${stopped ? "stopped" : "refused"}; the old manifest is brought back`);
      const back = await bringBack(file, deciding, place, { ...options, message: `bottle: back from ${id}` });
      record(root, { kind: "failed", ...shared, update: { started: new Date(begun).toISOString(), version: version || null }, error: why, rolled_back: back === undefined });
      const told = stopped ? "the human stopped it while it was put in force" : "the change could not be put in force";
      writeAnswer(root, { id, decision: "failed", why: `${told}${back === undefined ? "; the rules are as before" : ""}`, granted: null, until: null, confirmed: false });
      throw new UserError(
        `${id}: was not granted${back === undefined ? ", the old rules hold" : ""}: ${why}${back === undefined ? "" : `\nThe way back failed too: ${back}\n${readIfThere(file) === before ? "The manifest is as before, but" : "And"} sidecars may hold the new rule until an update`}`,
        back === undefined ? (stopped ? undefined : "Mend what it names; the agent may ask again.") : `bottle up ${entry.stack}`,
        stopped?.exitCode,
      );
    }
    record(root, { kind: "approved", ...shared, update: { started: new Date(begun).toISOString(), version: version || null }, milliseconds: took });
    writeAnswer(root, { id, decision: "approved", why: null, granted: change.change, until: until ?? null, confirmed: true });
    endDeciding(root);
    return { version, took, until };
  } finally {
    unlisten();
  }
}

export function refuse(entry: Entry, why: string): Promise<void> {
  return alone(entry.root, `reject ${entry.id}`, async () => {
    const { state } = readEntry(entry.stack, entry.root, entry.id);
    if (state !== "open" && state !== "malformed") throw alreadyDecided(entry, state);
    record(entry.root, { kind: "rejected", request: { id: entry.id, hash: entry.hash, ...(entry.request && { kind: entry.request.kind, asked: entry.request.change, why: entry.request.why }) }, why });
    writeAnswer(entry.root, { id: entry.id, decision: "rejected", why, granted: null, until: null, confirmed: false });
  });
}

/** An open request whose time is over is answered so. */
export function expire(entry: Entry): Promise<void> {
  return alone(entry.root, `approve ${entry.id}`, async () => {
    record(entry.root, { kind: "expired", request: { id: entry.id, hash: entry.hash } });
    writeAnswer(entry.root, { id: entry.id, decision: "expired", why: "nobody decided in time", granted: null, until: null, confirmed: false });
  });
}

function checkCurrent(entry: Entry): void {
  const now = readEntry(entry.stack, entry.root, entry.id);
  if (now.state !== "open") throw alreadyDecided(entry, now.state);
  if (now.hash !== entry.hash) throw new Changed(`${entry.id}: the request was changed since it was shown`, undefined, 3);
}

export function alreadyDecided(entry: Entry, state: Entry["state"]): UserError {
  if (state === "malformed") return new UserError(`${entry.id}: is malformed (${plain(entry.malformed ?? "")}) and can only be rejected`, `bottle reject ${entry.id} --why …`);
  return new UserError(`${entry.id}: is ${state} already`, state === "expired" ? "The agent may ask again." : undefined);
}
