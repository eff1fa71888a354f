// A change, written into the text of a manifest: comments, order and style of the rest stay. Pure.
import { createTwoFilesPatch } from "diff";
import { parseDocument } from "yaml";
import { readManifest } from "../../components/manifest/manifest.ts";
import { insertGit } from "./git-change.ts";
import type { GitLogin } from "../requests/git-login.ts";
import { configOf } from "./manifest-text.ts";
import { isGit, type Change } from "../requests/request.ts";
import { insertProxy } from "./proxy-change.ts";
import { inStyleOf } from "./yaml-style.ts";

export interface ChangedManifest {
  readonly text: string;
  /** Unified diff. */
  readonly diff: string;
}

/** What the human adds to what was asked for. */
export interface Grant {
  /** RFC 3339; the grant's end, where it has one. */
  readonly until?: string;
  readonly login?: GitLogin;
}

/** @throws Error that says why this manifest cannot take this change. */
export function changeManifest(text: string, name: string, change: Change, { until, login = {} }: Grant = {}, now = Date.now()): ChangedManifest {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new Error(`${name}: ${document.errors[0]!.message}`);
  if (isGit(change)) {
    if (until !== undefined) throw new Error("a git upstream or branch has no end of its own; approve it for good, and take it out of the manifest by hand");
    insertGit(document, change, login);
  } else insertProxy(document, change, until, now);
  const changed = inStyleOf(text, document);
  checkManifest(changed, name);
  return { text: changed, diff: createTwoFilesPatch(name, name, text, changed, "now", "after", { context: 3 }).replace(/^Index: .*\n=+\n/, "") };
}

/** @throws ManifestError with every fault. */
export function checkManifest(text: string, name: string): void {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new Error(`${name}: ${document.errors[0]!.message}`);
  readManifest(configOf(document));
}
