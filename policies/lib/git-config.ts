// Git upstreams as the manifest writes them, read as plain data.
import { configOf } from "./stack-config.ts";
import { child, entries, isObject, list, type Plain } from "./values.ts";

export interface Upstream {
  readonly path: string;
  readonly name: string;
  readonly entry: Plain;
}

export function upstreams(): Upstream[] {
  const all = configOf("bottle:git")["upstreams"];
  const named = (name: string, entry: unknown, path: string): Upstream => {
    const plain = isObject(entry) ? entry : { url: entry };
    return { path, name: typeof plain["name"] === "string" ? plain["name"] : name, entry: plain };
  };
  const root = "bottle:git.upstreams";
  return Array.isArray(all) ? list(all).map((entry, index) => named(String(index), entry, `${root}[${index}]`)) : entries(all).map(([name, entry]) => named(name, entry, child(root, name)));
}
