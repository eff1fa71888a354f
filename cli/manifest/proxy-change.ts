// Hosts and routes, written into a manifest, which has a host either in `hosts` or in `routes`. Pure.
import { isMap, isScalar, isSeq, type YAMLMap, type Document, type Node, type YAMLSeq } from "yaml";
import type { ProxyChange } from "../requests/request.ts";
import { append, flowing, listAt, nodeOf } from "./yaml-nodes.ts";

/**
 * @param until RFC 3339; the grant's end, where it has one.
 * @throws Error that says why this manifest cannot take it.
 */
export function insertProxy(document: Document, asked: ProxyChange, until: string | undefined, now: number): void {
  const { host, inspect } = asked.change;
  const [hosts, routes] = [listIn(document, "hosts"), listIn(document, "routes")];
  for (const list of [hosts, routes]) if (list) list.items = list.items.filter((item) => !(hostOf(item) === host && hasEnded(item, now)));
  const allowed = hosts?.items.findIndex((item) => hostOf(item) === host) ?? -1;
  const held = (routes?.items ?? []).filter((item): item is YAMLMap => isMap(item) && hostOf(item) === host);
  const entry = { ...defined(asked.change), ...(until !== undefined && { expires: until }) };
  const add = (part: "hosts" | "routes", ...entries: unknown[]): void => {
    for (const each of entries) append(document, listAt(document, "bottle:network", part), each);
  };

  if (asked.kind === "host" && inspect === false && (allowed >= 0 || held.length > 0)) {
    if (until !== undefined) throw new Error(`${host} is allowed already, and its inspection cannot be lifted for a time; approve it for good (--for ever)`);
    if (allowed >= 0) hosts!.items[allowed] = flowing(passedThrough(document, hosts!.items[allowed] as Node));
    for (const route of held) route.set("inspect", false);
  } else if (asked.kind === "host") {
    if (held.length > 0) add("routes", ...asWhole({ ...entry, ...inspectOf(held[0]) }));
    else add("hosts", Object.keys(entry).length === 1 ? host : entry);
  } else {
    // What allowed the host as a whole goes on to, beside the new route.
    const whole = allowed < 0 ? undefined : (hosts!.items.splice(allowed, 1)[0] as Node);
    if (whole) add("routes", ...asWhole(isMap(whole) ? (whole.toJS(document) as Entry) : { host }));
    add("routes", { ...entry, ...(inspect === undefined && inspectOf(whole ?? held[0])) });
    if (inspect === false) for (const item of listIn(document, "routes")!.items) if (isMap(item) && hostOf(item) === host) item.set("inspect", false);
  }
}

/** Whether the change takes nothing but the inspection off a host that is allowed already. */
export function liftsInspection(document: Document, { kind, change }: ProxyChange, now: number): boolean {
  if (kind !== "host" || change.inspect !== false) return false;
  return [listIn(document, "hosts"), listIn(document, "routes")].some((list) => list?.items.some((item) => hostOf(item) === change.host && !hasEnded(item, now)));
}

function listIn(document: Document, part: string): YAMLSeq | undefined {
  const found = document.getIn(["config", "bottle:network", part]);
  return isSeq(found) ? found : undefined;
}

type Entry = { host: string; inspect?: boolean; expires?: string };

/** Routes that allow what an entry of `hosts` does. */
function asWhole(entry: Entry): object[] {
  return [entry, { ...entry, scheme: "http" }];
}

function passedThrough(document: Document, item: Node): Node {
  const map = isMap(item) ? item : (nodeOf(document, { host: hostOf(item) }) as YAMLMap);
  map.set("inspect", false);
  return map;
}

function inspectOf(item: unknown): { inspect?: boolean } {
  const inspect = isMap(item) ? item.get("inspect") : undefined;
  return typeof inspect === "boolean" ? { inspect } : {};
}

function hostOf(item: unknown): unknown {
  return isMap(item) ? item.get("host") : isScalar(item) ? item.value : undefined;
}

/** An earlier grant, past its end, makes room. */
function hasEnded(item: unknown, now: number): boolean {
  return isMap(item) && Date.parse(String(item.get("expires") ?? "")) <= now;
}

const defined = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
