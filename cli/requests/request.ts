// What the agent asks for. Both sides check with the same schema (components/supervise/request.ts).
import { changeFaults, type AccessRequest, type Change as Changes, type Kind } from "../../components/supervise/request.ts";

export type { Kind } from "../../components/supervise/request.ts";
export type Request = AccessRequest;
export type Change = { [K in Kind]: { readonly kind: K; readonly change: Changes[K] } }[Kind];
export type ProxyChange = Extract<Change, { kind: "host" | "route" }>;
export type GitChange = Exclude<Change, ProxyChange>;

export const isGit = (change: Change): change is GitChange => change.kind === "git-upstream" || change.kind === "git-branch";

/** A change as a human has edited it. @throws Error with what is wrong, a line each */
export function parseChange(kind: Kind, change: unknown): Change {
  const faults = changeFaults(kind, change);
  if (faults.length > 0) throw new Error(faults.join("; "));
  // As written: a default is the manifest's own, and need not stand in it.
  return { kind, change } as Change;
}
