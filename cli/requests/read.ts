// Requests and answers of the bottles of one project. A request's file is never trusted: it is read only up to its
// largest size, from a regular file, and whatever is off makes it malformed, which can only be rejected.
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { FILE_MAX, parseRequest, type Answer } from "../../components/supervise/request.ts";
import { stacksOf, stateRoot, type Project } from "../project.ts";
import { UserError } from "../user-error.ts";
import type { Request } from "./request.ts";

/** More files than supervise would ever let lie there: no more are looked at. */
const MAX_FILES = 1_000;
const FILE = /^(r[a-z2-7]{7})\.json$/;

export type { Answer } from "../../components/supervise/request.ts";

export interface Entry {
  readonly stack: string;
  /** `state/<slug>`. */
  readonly root: string;
  readonly id: string;
  /** SHA-256 of the file: what was shown is what is approved. */
  readonly hash: string;
  /** undefined where it is malformed. */
  readonly request?: Request;
  readonly malformed?: string;
  readonly state: "open" | "expired" | "malformed" | Answer["decision"];
}

export const requestsFolder = (root: string): string => join(root, "supervise", "requests");
export const answersFolder = (root: string): string => join(root, "supervise", "answers");

/** Requests of one bottle, oldest first. */
export function readRequests(stack: string, root: string, now = Date.now()): Entry[] {
  return ids(root)
    .map((id) => readEntry(stack, root, id, now))
    .sort((a, b) => (a.request?.created_at ?? "").localeCompare(b.request?.created_at ?? ""));
}

export function allRequests(project: Project, stacks: readonly string[] = stacksOf(project)): Entry[] {
  return stacks.flatMap((stack) => readRequests(stack, stateRoot(project, stack)));
}

/** The request of that id in any of the project's bottles. */
export function findRequest(project: Project, id: string): Entry {
  const found = allRequests(project).filter((entry) => entry.id === id);
  if (found.length === 1) return found[0]!;
  throw new UserError(`request ${JSON.stringify(id)}: ${found.length === 0 ? "there is none of that id" : "is there in several bottles"}`, "bottle requests lists them.");
}

export function openCount(root: string, now = Date.now()): number {
  return readRequests("", root, now).filter(isPending).length;
}

export function openIds(project: Project): string[] {
  return allRequests(project).filter(isPending).map(({ id }) => id);
}

/** A malformed one waits for its rejection. */
export const isPending = ({ state }: Entry): boolean => state === "open" || state === "malformed";

function ids(root: string): string[] {
  try {
    return readdirSync(requestsFolder(root)).flatMap((name) => FILE.exec(name)?.[1] ?? []).slice(0, MAX_FILES);
  } catch {
    return [];
  }
}

export function readEntry(stack: string, root: string, id: string, now = Date.now()): Entry {
  const answer = readAnswer(root, id);
  const entry = { stack, root, id };
  try {
    const text = readBounded(join(requestsFolder(root), `${id}.json`));
    const hash = createHash("sha256").update(text).digest("hex");
    const parsed = parseRequest(text, id);
    if ("fault" in parsed) return { ...entry, hash, malformed: parsed.fault, state: answer?.decision ?? "malformed" };
    const { request } = parsed;
    return { ...entry, hash, request, state: answer?.decision ?? (Date.parse(request.expires_at) <= now ? "expired" : "open") };
  } catch (error) {
    return { ...entry, hash: "", malformed: (error as Error).message, state: answer?.decision ?? "malformed" };
  }
}

function readBounded(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const about = fstatSync(descriptor);
    if (!about.isFile()) throw new Error("is no regular file");
    if (about.size > FILE_MAX) throw new Error(`is larger than ${FILE_MAX / 1024} KiB`);
    const bytes = Buffer.alloc(FILE_MAX + 1);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, readSync(descriptor, bytes)));
  } finally {
    closeSync(descriptor);
  }
}

export function readAnswer(root: string, id: string): Answer | undefined {
  try {
    return JSON.parse(readFileSync(join(answersFolder(root), `${id}.json`), "utf8")) as Answer;
  } catch {
    return undefined;
  }
}
