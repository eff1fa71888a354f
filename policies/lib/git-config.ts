// Git upstreams: as the manifest writes them, and as git-gate's configuration in a command's stdin has them. Plain data.
import { COMMANDS } from "./compose.ts";
import { STACK } from "./network-rules.ts";
import { configOf } from "./stack-config.ts";
import { child, entries, isObject, list, type Plain } from "./values.ts";

export interface Upstream {
  readonly path: string;
  readonly name: string;
  readonly url: string;
  /** Its keys for the hosts' keys and for what may be pushed are the manifest's or git-gate's own. */
  readonly entry: Plain;
  readonly manifest: boolean;
}

/** What one resource says: the stack its manifest, a command what it hands to git-gate. */
export function upstreamsOf(type: string, inputs: Plain): Upstream[] {
  const written = configOf("bottle:git")["upstreams"];
  if (type === STACK) return read(written, "bottle:git.upstreams", true);
  const text = inputs["stdin"];
  if (!COMMANDS.has(type) || typeof text !== "string" || !/"upstreams"\s*:/.test(text)) return [];
  try {
    const config = JSON.parse(text) as unknown;
    return isObject(config) ? read(config["upstreams"], "stdin: upstreams", false) : [];
  } catch {
    return [];
  }
}

/** True where the manifest has upstreams, so that people mend them there. */
export function manifestHasUpstreams(): boolean {
  return entries(configOf("bottle:git")["upstreams"] ?? {}).length > 0 || list(configOf("bottle:git")["upstreams"]).length > 0;
}

function read(all: unknown, root: string, manifest: boolean): Upstream[] {
  const upstream = (key: string, given: unknown, path: string): Upstream => {
    const entry = isObject(given) ? given : { url: given };
    const name = [entry["name"], entry["id"]].find((each) => typeof each === "string");
    return { path, name: String(name ?? key), url: String(entry["url"] ?? ""), entry, manifest };
  };
  if (Array.isArray(all)) return all.map((entry, index) => upstream(String(index), entry, `${root}[${index}]`));
  return entries(all).map(([key, entry]) => upstream(key, entry, child(root, key)));
}

/** ssh://…, or user@host:path. */
export function isSsh(url: string): boolean {
  return /^(git\+)?ssh:\/\//i.test(url) || (!url.includes("://") && /^[^/]+:/.test(url));
}
