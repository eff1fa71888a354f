// A request beside its manifest: the exact change, what Pulumi and the policy pack say of it, and what stands apart.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { manifestFile, type Project } from "../project.ts";
import { openStack, type Stack } from "../pulumi.ts";
import { UserError } from "../user-error.ts";
import { LOGIN_OPTIONS, type GitLogin } from "./git-login.ts";
import { unknownHost } from "./known-host.ts";
import { changeManifest } from "../manifest/manifest-change.ts";
import { endedGrants } from "../manifest/manifest-text.ts";
import { NO_PACKS, policyPacks, type PolicyOptions } from "./policy-packs.ts";
import { preview, type Previewed } from "./preview.ts";
import type { Entry } from "./read.ts";
import { isGit, type Change, type Request } from "./request.ts";

/** Why a request cannot be approved as things are, and how that is mended. */
export interface Obstacle {
  readonly problem: string;
  readonly mend: string;
}

export interface Proposal {
  readonly entry: Entry;
  readonly request: Request;
  /** As it would be granted: perhaps narrowed. */
  readonly change: Change;
  /** Milliseconds that the grant lasts, from its approval on; undefined: for good. */
  readonly lasts?: number;
  readonly login?: GitLogin;
  readonly file: string;
  readonly before: string;
  readonly after: string;
  readonly diff: string;
  readonly stack: Stack;
  readonly preview: Previewed;
  /** What `up` would change without this request. */
  readonly pending: Previewed["changes"];
  /** Grants past their end, which this update tidies away as any `up` does. */
  readonly tidied: readonly string[];
  readonly policies: boolean;
  readonly obstacle?: Obstacle;
}

export interface Terms {
  readonly change?: Change;
  /** Milliseconds that the grant lasts; undefined: as the request asks. null: for good. */
  readonly lasts?: number | null;
  readonly login?: GitLogin;
  readonly policies?: PolicyOptions;
}

/**
 * @throws UserError where the manifest cannot take the change; its message names what the agent wrote
 * nowhere but in quotes of the manifest's own checks.
 */
export async function propose(project: Project, entry: Entry, terms: Terms = {}): Promise<Proposal> {
  const request = entry.request!;
  const change: Change = terms.change ?? (request as Change);
  const lasts = (terms.lasts === undefined ? request.for_seconds && request.for_seconds * 1000 : terms.lasts) ?? undefined;
  const file = manifestFile(project, entry.stack);
  const before = readFileSync(file, "utf8");
  const { login } = terms;
  const { text: after, diff } = tryChange(entry, () => changeManifest(before, `Pulumi.${entry.stack}.yaml`, change, { until: endOf(lasts), login }), isGit(change));
  const policies = policyPacks(project, terms.policies ?? {});
  const stack = await openStack(project, entry.stack);
  const [unchanged, changed] = await Promise.all([preview(stack, undefined, NO_PACKS), preview(stack, after, policies)]);
  // Which of it is not the request's doing.
  const broken = changed.refusedBy.length > 0 ? (await preview(stack, undefined, policies)).refusedBy : [];
  const ended = endedGrants(before);
  const tidied = ended.length > 0 && unchanged.changes.every(({ name, op }) => op === "update" && /-(rules|config)$/.test(name)) ? ended : [];
  const pending = tidied.length > 0 ? [] : unchanged.changes.filter(({ type }) => type.includes(":") && !type.startsWith("bottle:"));
  const hindered = obstacle(entry, unchanged, changed, pending, broken) ?? (isGit(change) ? unknownHost(after, entry.id, change, project.folder, project.env) : undefined);
  return { entry, request, change, lasts, login, file, before, after, diff, stack, preview: changed, pending, tidied, policies: policies.packs.length > 0, obstacle: hindered };
}

function tryChange<T>({ id }: Entry, attempt: () => T, git: boolean): T {
  try {
    return attempt();
  } catch (error) {
    const narrow = `narrow it (--edit) or reject it: bottle reject ${id} --why …`;
    throw new UserError(`${id}: the manifest cannot take it: ${(error as Error).message}`, git ? `Give what it lacks (bottle approve ${id} with ${LOGIN_OPTIONS}), ${narrow}` : `N${narrow.slice(1)}`);
  }
}

function obstacle({ stack }: Entry, unchanged: Previewed, changed: Previewed, pending: Previewed["changes"], broken: readonly string[]): Obstacle | undefined {
  if (!unchanged.ok) return { problem: `the manifest as it is cannot be previewed:\n${unchanged.output}`, mend: `Mend what it names, and run: bottle up ${stack}` };
  if (pending.length > 0) return { problem: "the manifest or the machine has other changes that are not in force yet; this approval would sweep them along", mend: `Look at them (pulumi preview -s ${stack}), bring them into force (bottle up ${stack}) or take them back, then approve again.` };
  if (changed.lacking.length > 0) return { problem: `this machine lacks what the update needs:\n${changed.lacking.join("\n")}`, mend: "Mend what it names, then approve again." };
  if (broken.length > 0) return { problem: `the manifest as it is breaks ${named(broken)}`, mend: `Mend what the policy pack names, and run: bottle up ${stack}` };
  if (changed.refusedBy.length > 0) return { problem: `the change is refused by ${named(changed.refusedBy)}; see above`, mend: "Narrow the request with --edit, reject it, or change the policy pack or its settings (--policy-pack-config)." };
  if (!changed.ok) return { problem: "Pulumi refuses the change; see above", mend: "Narrow the request with --edit, reject it, or mend what Pulumi names." };
  return undefined;
}

const named = (policies: readonly string[]): string => `the ${policies.length === 1 ? "policy" : "policies"} ${policies.join(", ")}`;

/** When a grant ends that is given now. */
export function endOf(lasts: number | undefined): string | undefined {
  return lasts === undefined ? undefined : new Date(Date.now() + lasts).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Names what was shown: request and manifest, byte for byte. */
export function fingerprint(entry: Entry, manifest: string): string {
  return createHash("sha256").update(entry.hash).update("\0").update(manifest).digest("hex");
}
