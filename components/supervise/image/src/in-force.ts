// The rules in force, as far as they are no secret, from what egress and git-gate are given.
import { join } from "node:path";
import { parse } from "yaml";
import { readWhole } from "./files.ts";

const MAX = 4 * 2 ** 20;

/** What egress enforces; `auth` names tokens, which stay here. */
interface Rules {
  readonly hosts?: readonly Entry[];
  readonly routes?: readonly (Entry & { readonly auth?: unknown })[];
}
type Entry = Readonly<Record<string, unknown>> & { readonly expires?: string };

interface Gate {
  readonly upstreams?: readonly { readonly id: string; readonly url: string; readonly push: { readonly branches: readonly string[]; readonly tags: readonly string[] } | null }[];
}

/** Hosts and routes; an entry past its end says so. */
export function networkRules(folder: string, now: number): { hosts: object[]; routes: object[] } {
  const { hosts = [], routes = [] } = (parse(readWhole(join(folder, "rules.yaml"), MAX) ?? "{}") ?? {}) as Rules;
  const told = (entry: Entry) => ({ ...entry, ...(entry.expires !== undefined && Date.parse(entry.expires) <= now && { over: true }) });
  return {
    hosts: hosts.map(told),
    routes: routes.map(({ auth, ...route }) => ({ ...told(route), ...(auth !== undefined && auth !== null && { credential: "put on by egress" }) })),
  };
}

/** Git upstreams with what may be pushed; null: nothing, they are read-only. */
export function gitRules(folder: string): { name: string; url: string; push: object | null }[] {
  const { upstreams = [] } = JSON.parse(readWhole(join(folder, "gate.json"), MAX) ?? "{}") as Gate;
  return upstreams.map(({ id, url, push }) => ({ name: id, url, push }));
}
