// What provisioning puts into a running agent's home. Types and pure functions.

/** JSON as provisioning writes it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** A file that is wholly bottle's: written again where it differs, removed when no longer named. */
export interface FileSpec {
  /** Relative to the home. */
  readonly path: string;
  /** The content itself, or the host file that holds it: one of the two. */
  readonly content?: string;
  readonly sourcePath?: string;
  /** Default: the source's own execute bit, else not executable. */
  readonly executable?: boolean;
}

/** A host directory mirrored to one in the home: what vanishes on the host vanishes there. */
export interface DirectorySpec {
  /** Relative to the home. */
  readonly path: string;
  readonly sourcePath: string;
}

/** Keys of a JSON file that the agent writes too. Everything else in it is left as it is. */
export interface JsonMerge {
  /** Relative to the home. */
  readonly path: string;
  /** Deeply merged, these win. */
  readonly set?: JsonObject;
  /** Deeply merged, what is there already wins. */
  readonly defaults?: JsonObject;
  /** Keys that go where they are there; each by its path. */
  readonly unset?: readonly (readonly string[])[];
  /** Arrays to which these elements are added where missing. */
  readonly include?: JsonObject;
}

/** Lines that stand at the head of a text file that the agent writes too. */
export interface HeadLines {
  /** Relative to the home. */
  readonly path: string;
  /** Whole lines, each ending in a newline. */
  readonly text: string;
}

export interface ProvisionSpec {
  /** Name or id of the running container. */
  readonly container: string;
  readonly uid: number;
  readonly gid: number;
  /** Absolute path in the container. */
  readonly home: string;
  readonly files: readonly FileSpec[];
  readonly directories: readonly DirectorySpec[];
  readonly merges: readonly JsonMerge[];
  readonly heads: readonly HeadLines[];
  /** Whether the system's own store of roots is to be made anew (writable root). */
  readonly systemStore?: boolean;
  /**
   * Host directories that the agent itself can write (a mounted workspace). A source inside one may
   * not lead outside it: else a link made by the agent would fetch it a file of the host.
   */
  readonly agentWritable?: readonly string[];
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

/** Applies a merge to what a file holds; returns an equal value where nothing is to change. */
export function mergeJson(existing: JsonObject, merge: JsonMerge): JsonObject {
  let result: Json = existing;
  if (merge.set) result = deep(result, merge.set);
  if (merge.defaults) result = filled(result, merge.defaults);
  for (const path of merge.unset ?? []) result = without(result, path);
  if (merge.include) result = included(result, merge.include);
  return result as JsonObject;
}

/** `over` wins; objects are merged key by key, keeping the order of `under`. */
function deep(under: Json, over: Json): Json {
  if (!isObject(under) || !isObject(over)) return over;
  const merged = new Map<string, Json>(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key);
    merged.set(key, below === undefined ? value : deep(below, value));
  }
  return Object.fromEntries(merged);
}

/** Adds what is missing, after what is there: the agent's own order of keys is no change. */
function filled(into: Json, defaults: Json): Json {
  if (!isObject(into) || !isObject(defaults)) return into;
  const merged = new Map<string, Json>(Object.entries(into));
  for (const [key, value] of Object.entries(defaults)) {
    const present = merged.get(key);
    merged.set(key, present === undefined ? value : filled(present, value));
  }
  return Object.fromEntries(merged);
}

function without(value: Json, [key, ...rest]: readonly string[]): Json {
  if (!isObject(value) || key === undefined || !(key in value)) return value;
  const { [key]: inner, ...others } = value;
  // In its old place, so that the order of keys is no change.
  return rest.length === 0 ? others : Object.fromEntries(Object.entries(value).map(([name, each]) => [name, name === key ? without(inner!, rest) : each]));
}

function included(into: Json, wanted: Json): Json {
  if (Array.isArray(wanted)) {
    const present: readonly Json[] = Array.isArray(into) ? into : [];
    const missing = wanted.filter((element) => !present.some((other) => JSON.stringify(other) === JSON.stringify(element)));
    return missing.length === 0 && Array.isArray(into) ? into : [...present, ...missing];
  }
  if (!isObject(wanted)) return wanted;
  const merged = new Map<string, Json>(Object.entries(isObject(into) ? into : {}));
  for (const [key, value] of Object.entries(wanted)) merged.set(key, included(merged.get(key) ?? null, value));
  return Object.fromEntries(merged);
}

/**
 * Git settings as a config file. Quoting: https://git-scm.com/docs/git-config#_syntax.
 *
 * @param settings `section.key` or `section.subsection.key` → value, or values of a repeated key.
 * @throws Error where a key is none of git's, or a value holds a NUL.
 */
export function renderGitConfig(settings: Readonly<Record<string, string | readonly string[]>>): string {
  let text = "";
  for (const [name, values] of Object.entries(settings)) {
    const match = /^([A-Za-z0-9-]+)\.(?:([^\n\0]*)\.)?([A-Za-z][A-Za-z0-9-]*)$/.exec(name);
    if (!match) throw new Error(`git setting "${name}": is no key of git's; write it as section.key or section.subsection.key`);
    const [, section, subsection, key] = match;
    const heading = subsection === undefined ? section : `${section} "${subsection.replace(/["\\]/g, "\\$&")}"`;
    for (const value of [values].flat()) {
      if (value.includes("\0")) throw new Error(`git setting "${name}": its value holds a NUL`);
      const quoted = value.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\t", "\\t");
      text += `[${heading}]\n\t${key} = "${quoted}"\n`;
    }
  }
  return text;
}

/** What bottle sets for git, in a file of its own that `~/.gitconfig` includes first, so that what is set inside wins. */
export function gitFiles(settings: Readonly<Record<string, string | readonly string[]>>): { readonly files: FileSpec[]; readonly heads: HeadLines[] } {
  return {
    files: [{ path: ".config/bottle/gitconfig", content: renderGitConfig(settings) }],
    heads: [{ path: ".gitconfig", text: "[include]\n\tpath = ~/.config/bottle/gitconfig\n" }],
  };
}
