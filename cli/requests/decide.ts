// A decision carried out: manifest, update, sidecars asked, record, and only then the answer.
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { identify } from "../../components/identity.ts";
import { run } from "../../components/machine/run.ts";
import { record } from "../audit/log.ts";
import { errorLines, pulumiError } from "../pulumi.ts";
import type { Project } from "../project.ts";
import { plain } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { writeAnswer } from "./answer.ts";
import { notInForce } from "./in-force.ts";
import { alone } from "./lock.ts";
import { changeManifest } from "./manifest-change.ts";
import { endOf, type Proposal } from "./proposal.ts";
import { readEntry, type Entry } from "./read.ts";

/** The manifest or the request is not what was shown any more: show it anew. */
export class Changed extends UserError {}

export interface Granted {
  /** Of the stack, where its backend counts. */
  readonly version?: number;
  readonly until?: string;
  /** Milliseconds from the decision until the sidecars said that the rule holds. */
  readonly took: number;
}

/** @throws Changed, or UserError where the update failed; then everything is as before, and the answer is "failed". */
export function grant(project: Project, proposal: Proposal, tell: (line: string) => void): Promise<Granted> {
  const { entry, file, before, change, lasts, login, stack, request } = proposal;
  return alone(entry.root, async () => {
    const begun = Date.now();
    checkCurrent(entry);
    if (readFileSync(file, "utf8") !== before) throw new Changed(`Pulumi.${entry.stack}.yaml: was changed since it was shown`, undefined, 3);
    const identity = identify(project.backend, "organization", project.name, entry.stack);
    const place = { project: project.folder, slug: identity.slug, composeProject: identity.composeProject };
    // Its time begins now, not when it was shown; nothing else differs from what was.
    const until = endOf(lasts);
    const { text: after, diff } = changeManifest(before, basename(file), change, { until, login });
    const shared = { request: { id: entry.id, hash: entry.hash, kind: request.kind, asked: request.change, why: request.why }, granted: change.change, until: until ?? null, diff };
    replaceFile(file, after);
    tell("pulumi up");
    let version: number | undefined;
    let took = 0;
    try {
      await update(project, entry.stack, `bottle approve ${entry.id}`);
      tell("asking the sidecars");
      const lacking = await notInForce(place, change);
      took = Date.now() - begun;
      version = (await stack.info().catch(() => undefined))?.version;
      if (lacking !== undefined) throw new UserError(`the update went through, but the rule is not in force: ${lacking}`);
    } catch (error) {
      const why = plain((error as Error).message, true);
      tell("refused; the old manifest is brought back");
      const back = await rollBack(project, proposal, after);
      record(entry.root, { kind: "failed", ...shared, update: { started: new Date(begun).toISOString(), version: version || null }, error: why, rolled_back: back === undefined });
      writeAnswer(entry.root, { id: entry.id, decision: "failed", why: "the change could not be put in force; the rules are as before", granted: null, until: null, confirmed: false });
      throw new UserError(`${entry.id}: was not granted, the old rules hold${back === undefined ? "" : ", but the update back failed too"}: ${why}${back === undefined ? "" : `\n${back}`}`, back === undefined ? "Mend what it names; the agent may ask again." : `bottle up ${entry.stack}`);
    }
    record(entry.root, { kind: "approved", ...shared, update: { started: new Date(begun).toISOString(), version: version || null }, milliseconds: took });
    writeAnswer(entry.root, { id: entry.id, decision: "approved", why: null, granted: change.change, until: until ?? null, confirmed: true });
    return { version, took, until };
  });
}

/** What the Automation API's `stack.up` runs, without the calls after it (outputs, history) that cost as much again. */
async function update(project: Project, stack: string, message: string): Promise<void> {
  const args = ["up", "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs", "--suppress-progress", "--color", "never", "--stack", stack, "--message", message];
  const { code, stdout, stderr } = await run("pulumi", args, { cwd: project.folder, env: project.env });
  if (code !== 0) throw /currently locked/.test(stderr) ? pulumiError(new Error(stderr), stack) : new UserError(`stack ${stack}: ${errorLines(stdout + stderr)}`);
}

/** The manifest as it was, and an update to it: of two sidecars one may have taken the new rule. */
async function rollBack(project: Project, { file, before, entry }: Proposal, after: string): Promise<string | undefined> {
  if (readFileSync(file, "utf8") !== after) return `Pulumi.${entry.stack}.yaml: was changed meanwhile and is left as it is; take the change out by hand`;
  replaceFile(file, before);
  try {
    await update(project, entry.stack, `bottle: back from ${entry.id}`);
    return undefined;
  } catch (error) {
    return plain((error as Error).message, true);
  }
}

export function refuse(entry: Entry, why: string): Promise<void> {
  return alone(entry.root, async () => {
    const { state } = readEntry(entry.stack, entry.root, entry.id);
    if (state !== "open" && state !== "malformed") throw alreadyDecided(entry, state);
    record(entry.root, { kind: "rejected", request: { id: entry.id, hash: entry.hash, ...(entry.request && { kind: entry.request.kind, asked: entry.request.change, why: entry.request.why }) }, why });
    writeAnswer(entry.root, { id: entry.id, decision: "rejected", why, granted: null, until: null, confirmed: false });
  });
}

/** An open request whose time is over is answered so. */
export function expire(entry: Entry): Promise<void> {
  return alone(entry.root, async () => {
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

/** Whole or not at all, with the rights that it had. */
function replaceFile(file: string, text: string): void {
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}`);
  writeFileSync(temporary, text, { mode: statSync(file).mode & 0o777 });
  renameSync(temporary, file);
}
