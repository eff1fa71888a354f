// Whether an edited change stays within what was asked. Pure. What cannot be told to be within, is not.
import { isDeepStrictEqual } from "node:util";
import { covers, llmHosts } from "../../components/manifest/hosts.ts";
import type { Change, ProxyChange } from "./request.ts";

type Route = Extract<Change, { kind: "route" }>["change"];
type Push = { readonly branches?: readonly string[]; readonly tags?: readonly string[] };

/** What of `granted` nobody asked for, a line each. */
export function wider(asked: Change, granted: Change): string[] {
  if (asked.kind === "host" && granted.kind === "host") return widerHost(asked.change, granted.change);
  if (asked.kind === "route" && granted.kind === "route") return [...widerHost(asked.change, granted.change), ...widerRoute(asked.change, granted.change)];
  if (asked.kind === "git-upstream" && granted.kind === "git-upstream") return [...other("url", asked.change.url, granted.change.url), ...widerPush(asked.change.push ?? {}, granted.change.push ?? {}, "push.")];
  if (asked.kind === "git-branch" && granted.kind === "git-branch") return [...other("upstream", asked.change.upstream, granted.change.upstream), ...widerPush(asked.change, granted.change, "")];
  return ["kind: is another one"];
}

function widerHost(asked: ProxyChange["change"], granted: ProxyChange["change"]): string[] {
  const inspected = ({ host, inspect }: ProxyChange["change"]): boolean => inspect ?? !llmHosts.has(host);
  return [
    ...(covers(asked.host, granted.host) ? [] : [`host: ${granted.host} is not within ${asked.host}`]),
    ...(inspected(asked) && !inspected(granted) ? ["inspect: nobody would read what the agent sends there"] : []),
  ];
}

function widerRoute(asked: Route, granted: Route): string[] {
  const schemeOf = ({ scheme = "https", port }: Route) => ({ scheme, port: port ?? (scheme === "http" ? 80 : 443) });
  return [
    ...beyond("methods", asked.methods, granted.methods, (a, b) => a === b),
    ...beyond("paths", asked.paths, granted.paths, globCovers),
    ...Object.entries(asked.query ?? {}).flatMap(([name, value]) => (granted.query?.[name] === value ? [] : [`query.${name}: is to be as it was asked; add others beside it`])),
    ...(isDeepStrictEqual(schemeOf(asked), schemeOf(granted)) ? [] : ["scheme, port: are others"]),
    ...(granted.websocket && !asked.websocket ? ["websocket: was not asked for"] : []),
    ...(granted.auth === undefined || isDeepStrictEqual(asked.auth, granted.auth) ? [] : ["auth: is another one; leave it as it was asked, or take it out"]),
  ];
}

function widerPush(asked: Push, granted: Push, at: string): string[] {
  return (["branches", "tags"] as const).flatMap((key) => beyond(`${at}${key}`, asked[key] ?? [], granted[key] ?? [], globCovers));
}

const other = (key: string, asked: string, granted: string): string[] => (asked === granted ? [] : [`${key}: is another one`]);

/** @param asked undefined: any. */
function beyond(key: string, asked: readonly string[] | undefined, granted: readonly string[] | undefined, within: (asked: string, granted: string) => boolean): string[] {
  if (asked === undefined) return [];
  if (granted === undefined) return [`${key}: any, though only ${asked.join(", ")} was asked for`];
  return granted.filter((each) => !asked.some((one) => within(one, each))).map((each) => `${key}: ${each} was not asked for`);
}

/** Whether all that `inner` matches, `outer` does: its wildcards are taken for characters that only as wide ones match. */
export function globCovers(outer: string, inner: string): boolean {
  const ANY = "\u0001";
  const pattern = outer
    .split(/(\*\*|\*)/)
    .map((part) => (part === "**" ? "[^]*" : part === "*" ? `[^/${ANY}]*` : part.replace(/[\\^$.+?()[\]{}|]/g, "\\$&")))
    .join("");
  return outer === inner || new RegExp(`^${pattern}$`).test(inner.replaceAll("**", ANY));
}
