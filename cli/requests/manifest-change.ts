// A change, written into the text of a manifest: comments, order and style of the rest stay. Pure.
import { isDeepStrictEqual } from "node:util";
import { applyPatch, createTwoFilesPatch, diffLines, structuredPatch } from "diff";
import { isMap, isScalar, isSeq, parseDocument, Scalar, visit, YAMLMap, YAMLSeq, type Document, type Node, type ToStringOptions } from "yaml";
import { normalizeGit } from "../../components/manifest/git.ts";
import { configValue, readManifest } from "../../components/manifest/manifest.ts";
import { manifestSchema } from "../../components/manifest/schema.ts";
import { loginEntry, type GitLogin } from "./git-login.ts";
import type { Change } from "./request.ts";

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
  if (until !== undefined && (change.kind === "git-upstream" || change.kind === "git-branch")) throw new Error("a git upstream or branch has no end of its own; approve it for good, and take it out of the manifest by hand");
  insert(document, change, until, loginEntry(login), now);
  const changed = inStyleOf(text, document);
  checkManifest(changed, name);
  return { text: changed, diff: createTwoFilesPatch(name, name, text, changed, "now", "after", { context: 3 }).replace(/^Index: .*\n=+\n/, "") };
}

function insert(document: Document, change: Change, until: string | undefined, login: Record<string, unknown>, now: number): void {
  switch (change.kind) {
    case "host": {
      const { host, ...rest } = change.change;
      const entry = { host, ...defined(rest), ...(until && { expires: until }) };
      const list = listAt(document, "bottle:network", "hosts");
      dropEnded(list, host, now);
      return append(document, list, Object.keys(entry).length === 1 ? host : entry);
    }
    case "route": {
      const list = listAt(document, "bottle:network", "routes");
      dropEnded(list, change.change.host, now);
      return append(document, list, { ...defined(change.change), ...(until && { expires: until }) });
    }
    case "git-upstream":
      return append(document, listAt(document, "bottle:git", "upstreams"), { ...defined(change.change), ...login });
    case "git-branch": {
      const { upstream, branches, tags } = change.change;
      const list = listAt(document, "bottle:git", "upstreams");
      const index = upstreamNames(document).indexOf(upstream);
      if (index < 0) throw new Error("bottle:git.upstreams: has none of the name that is asked for");
      const found = list.items[index] as YAMLMap;
      for (const [key, value] of Object.entries(login)) found.set(key, flowing(nodeOf(document, value)));
      for (const [key, names] of Object.entries({ branches, tags })) {
        if (!names?.length) continue;
        const push = childMap(document, found, "push");
        const there = push.get(key, true) as unknown;
        const target = isSeq(there) ? there : new YAMLSeq();
        if (target !== there) {
          target.flow = true;
          push.set(key, target);
        }
        const known = (target.toJSON() as unknown[]) ?? [];
        for (const each of names) if (!known.includes(each)) target.add(nodeOf(document, each));
      }
    }
  }
}

/** An earlier grant of that host, past its end, makes room. */
function dropEnded(list: YAMLSeq, host: string, now: number): void {
  list.items = list.items.filter((item) => !(isMap(item) && item.get("host") === host && Date.parse(String(item.get("expires") ?? "")) <= now));
}

function append(document: Document, list: YAMLSeq, entry: unknown): void {
  list.add(flowing(nodeOf(document, entry)));
}

function flowing(node: Node): Node {
  if (isMap(node) || isSeq(node)) {
    node.flow = true;
    for (const pair of isMap(node) ? node.items : []) if (isMap(pair.value) || isSeq(pair.value)) pair.value.flow = true;
  }
  return node;
}

/** Pulumi reads YAML 1.1, where a bare 2026-01-01T00:00:00Z is a time and a bare `on` is true: all but plain words are quoted. */
function nodeOf(document: Document, value: unknown): Node {
  const node = document.createNode(value) as Node;
  visit(node, {
    Scalar: (key, scalar) => {
      const plainWord = /^[A-Za-z][A-Za-z0-9./-]*$/.test(String(scalar.value)) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(String(scalar.value));
      if (key !== "key" && typeof scalar.value === "string" && !plainWord) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return node;
}

function listAt(document: Document, key: string, part: string): YAMLSeq {
  if (!isMap(document.contents)) document.contents = document.createNode({}) as never;
  const config = childMap(document, document.contents as unknown as YAMLMap, "config");
  const parent = childMap(document, config, key);
  const found = parent.get(part, true) as unknown;
  if (isSeq(found)) {
    if (found.items.length === 0) found.flow = Boolean(parent.flow);
    return found;
  }
  const list = new YAMLSeq();
  parent.set(part, list);
  return list;
}

function childMap(document: Document, parent: YAMLMap, key: string): YAMLMap {
  const found = parent.get(key, true) as unknown;
  if (isMap(found)) {
    if (found.items.length === 0) found.flow = false;
    return found;
  }
  if (found !== undefined && !(isScalar(found) && found.value === null)) throw new Error(`${key}: is no mapping`);
  const map = new YAMLMap(document.schema);
  parent.set(key, map);
  return map;
}

function upstreamNames(document: Document): string[] {
  const { git } = manifestSchema.parse({ git: configOf(document)["git"] ?? {} });
  return normalizeGit(git).upstreams.map(({ name }) => name);
}

/**
 * The library writes a whole document anew. Of its styles the nearest is taken, and what the change does in
 * that style is done to the text itself, wherever the outcome means the same: no other line is touched.
 */
function inStyleOf(text: string, document: Document): string {
  const styles: ToStringOptions[] = [true, false].flatMap((flowCollectionPadding) => [true, false].flatMap((indentSeq) => [2, 4].map((indent) => ({ lineWidth: 0, flowCollectionPadding, indentSeq, indent }))));
  const cost = (candidate: string) => diffLines(text, candidate).reduce((sum, part) => sum + (part.added || part.removed ? part.count : 0), 0);
  const nearest = styles.map((style) => ({ style, cost: cost(parseDocument(text).toString(style)) })).sort((a, b) => a.cost - b.cost)[0]!.style;
  const changed = document.toString(nearest);
  for (const context of [3, 1, 0]) {
    const patch = structuredPatch("", "", parseDocument(text).toString(nearest), changed, "", "", { context });
    const patched = applyPatch(text, patch);
    if (patched !== false && sameMeaning(patched, changed)) return patched;
  }
  return changed;
}

function sameMeaning(a: string, b: string): boolean {
  const [first, second] = [parseDocument(a), parseDocument(b)];
  return first.errors.length === 0 && isDeepStrictEqual(first.toJSON(), second.toJSON());
}

/** @throws ManifestError with every fault. */
export function checkManifest(text: string, name: string): void {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new Error(`${name}: ${document.errors[0]!.message}`);
  readManifest(configOf(document));
}

/** The `bottle:` keys; a Pulumi secret is only a placeholder here. */
export function configOf(document: Document): Record<string, unknown> {
  const { config } = (document.toJSON() ?? {}) as { config?: Record<string, unknown> | null };
  const own = Object.entries(config ?? {}).filter(([key]) => key.startsWith("bottle:"));
  return Object.fromEntries(own.map(([key, value]) => [key.slice("bottle:".length), typeof value === "string" ? configValue(value) : withoutSecrets(value)]));
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]![0] === "secure") return "a secret";
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutSecrets(each)]));
}

/** Ends of grants that are past: `up` leaves those entries out of the sidecars' rules. */
export function endedGrants(text: string, now = Date.now()): string[] {
  const { network } = configOf(parseDocument(text)) as { network?: { hosts?: unknown[]; routes?: unknown[] } };
  return [...(network?.hosts ?? []), ...(network?.routes ?? [])].flatMap((entry) => {
    const { host, expires } = (typeof entry === "object" ? entry : {}) as { host?: string; expires?: string };
    return expires !== undefined && Date.parse(expires) <= now ? [`${host} (ended ${expires})`] : [];
  });
}

const defined = (value: object) => Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
