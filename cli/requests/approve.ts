// Shows, asks, carries out; what changes under the human's eyes is shown anew.
import { readFileSync } from "node:fs";
import { manifestFile, type Project } from "../project.ts";
import { confirm, interactive, span, tell } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { settleCutOff } from "../decisions/cut-off.ts";
import { alreadyDecided, Changed, expire, grant } from "../decisions/decide.ts";
import { duration } from "./duration.ts";
import { edit } from "./edit.ts";
import type { GitLogin } from "./git-login.ts";
import type { PolicyOptions } from "./policy-packs.ts";
import { printProposal, printRequest } from "./print.ts";
import { fingerprint, propose, type Proposal, type Terms } from "./proposal.ts";
import { findRequest, readEntry, type Entry } from "./read.ts";
import { isGit, type Change } from "./request.ts";
import { remember, shownBefore } from "./shown.ts";

export interface ApproveOptions extends PolicyOptions {
  readonly edit?: boolean;
  /** A duration, or "ever". */
  readonly for?: string;
  readonly yes?: boolean;
  /** For git, what the agent cannot ask for. */
  readonly identityFile?: string;
  readonly knownHosts?: string;
  readonly token?: string;
}

const say = (text: string): void => void process.stdout.write(text);

/** Prints the request and its proposal, and remembers that it did. */
export async function showRequest(project: Project, entry: Entry, terms: Terms = {}): Promise<Proposal> {
  say(printRequest(entry, terms.change, readFileSync(manifestFile(project, entry.stack), "utf8")));
  tell("previewing");
  const proposal = await propose(project, entry, terms);
  say(`\n${printProposal(proposal)}`);
  remember(entry.root, entry.id, fingerprint(entry, proposal.before));
  return proposal;
}

export async function approve(project: Project, id: string, options: ApproveOptions): Promise<void> {
  let entry = findRequest(project, id);
  await checkOpen(entry);
  if (!options.yes && !interactive()) throw new UserError("approve: nobody can be asked here", `Look at it (bottle show ${id}), then: bottle approve ${id} --yes`);
  await settleCutOff(project, entry.stack, tell);
  const terms = await termsOf(entry, options, project);
  for (;;) {
    const seen = shownBefore(entry.root, id);
    const proposal = await showRequest(project, entry, terms);
    if (options.yes && seen !== undefined && seen !== fingerprint(entry, proposal.before)) {
      throw new UserError(`${id}: the request or the manifest was changed since it was shown; it is shown anew above, and nothing was done`, `Look again, then: bottle approve ${id} --yes`, 3);
    }
    if (proposal.obstacle) throw new UserError(`${id}: was not approved; see above`, proposal.obstacle.mend);
    if (!options.yes && !(await confirm(`Approve ${id}?`))) throw new UserError("nothing was done");
    try {
      const { version, took, until } = await grant(project, proposal, tell);
      say(`${id} is in force, says every sidecar it concerns (${(took / 1000).toFixed(1)} s${version ? `, update ${version}` : ""}${until ? `, until ${until}` : ""})\n`);
      return;
    } catch (error) {
      if (!(error instanceof Changed) || options.yes) throw error;
      say(`\n${error.message}; here it is anew\n\n`);
      entry = readEntry(entry.stack, entry.root, id);
      await checkOpen(entry);
    }
  }
}

async function checkOpen(entry: Entry): Promise<void> {
  if (entry.state === "open") return;
  if (entry.state === "expired" && entry.request) {
    await expire(entry).catch(() => {});
    throw new UserError(`${entry.id}: expired ${span(Date.now() - Date.parse(entry.request.expires_at))} ago`, "The agent may ask again.");
  }
  throw alreadyDecided(entry, entry.state);
}

async function termsOf(entry: Entry, options: ApproveOptions, project: Project): Promise<Terms> {
  if (options.for !== undefined && options.for !== "ever" && isGit(entry.request as Change)) {
    throw new UserError(`--for: ${entry.id} asks for git, whose upstreams and branches have no end`, "Approve it without --for, and take it out of the manifest by hand when its time is over.");
  }
  let lasts: number | null | undefined;
  try {
    lasts = options.for === undefined ? undefined : options.for === "ever" ? null : duration(options.for);
  } catch (error) {
    throw new UserError(`--for: ${(error as Error).message}`);
  }
  return { lasts, login: loginOf(entry, options), policies: options, ...(options.edit && { change: await edit(entry.request!, project.env) }) };
}

function loginOf({ id, request }: Entry, { identityFile, knownHosts, token }: ApproveOptions): GitLogin {
  const login = { identityFile, knownHosts, token };
  if (!isGit(request as Change) && Object.values(login).some((each) => each !== undefined)) {
    throw new UserError(`${id}: asks for a ${request?.kind}, which has no use for a login of git`, `Leave it out: bottle approve ${id}`);
  }
  return login;
}
