// Git upstreams and branches, written into a manifest. Pure.
import { isSeq, YAMLMap, YAMLSeq, type Document } from "yaml";
import { normalizeGit } from "../../components/manifest/git.ts";
import { manifestSchema } from "../../components/manifest/schema.ts";
import { loginEntry, type GitLogin } from "../requests/git-login.ts";
import { configOf } from "./manifest-text.ts";
import type { GitChange } from "../requests/request.ts";
import { append, childMap, flowing, listAt, nodeOf } from "./yaml-nodes.ts";

/** @throws Error where the manifest has no upstream of that name. */
export function insertGit(document: Document, asked: GitChange, login: GitLogin): void {
  const list = listAt(document, "bottle:git", "upstreams");
  if (asked.kind === "git-upstream") return append(document, list, { ...asked.change, ...loginEntry(login) });
  const { upstream, branches, tags } = asked.change;
  const index = upstreamNames(document).indexOf(upstream);
  if (index < 0) throw new Error("bottle:git.upstreams: has none of the name that is asked for");
  const found = list.items[index] as YAMLMap;
  for (const [key, value] of Object.entries(loginEntry(login))) found.set(key, flowing(nodeOf(document, value)));
  for (const [key, names] of Object.entries({ branches, tags })) if (names?.length) addNames(document, childMap(document, found, "push"), key, names);
}

function addNames(document: Document, push: YAMLMap, key: string, names: readonly string[]): void {
  const there = push.get(key, true) as unknown;
  const list = isSeq(there) ? there : new YAMLSeq();
  if (list !== there) {
    list.flow = true;
    push.set(key, list);
  }
  const known = (list.toJSON() as unknown[]) ?? [];
  for (const each of names) if (!known.includes(each)) list.add(nodeOf(document, each));
}

function upstreamNames(document: Document): string[] {
  const { git } = manifestSchema.parse({ git: configOf(document)["git"] ?? {} });
  return normalizeGit(git).upstreams.map(({ name }) => name);
}
