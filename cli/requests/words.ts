// What a change really allows, in words: a rule must not read narrower than it is. Pure.
import { plain } from "../terminal.ts";
import type { Change } from "./request.ts";

/** @param lifted whether it only takes the inspection off a host that is allowed already */
export function inWords(asked: Change, lifted = false): string[] {
  const { kind, change } = asked;
  switch (kind) {
    case "host":
      if (lifted) return [`${hostWords(change.host)} NOT inspected any more: nobody reads what the agent sends there; what it may reach there stays as it is`, RESTART];
      return [
        `everything on ${hostWords(change.host)}, any method and path, https on 443 and http on 80`,
        ...passedThrough(change.inspect),
      ];
    case "route": {
      const port = change.port ? `, port ${change.port}` : "";
      return [
        `${change.methods?.map((method) => plain(method)).join(", ") ?? "ANY method"} on ${hostWords(change.host)} by ${change.scheme ?? "https"}${port}`,
        change.paths ? `paths: ${change.paths.map((path) => plain(path)).join("  ")}` : "ANY path",
        ...(change.auth ? [`with your ${plain(change.auth.variable)} put on: whoever answers there gets it, and the agent acts there as you`] : []),
        ...(change.websocket ? ["WebSockets, too"] : []),
        ...passedThrough(change.inspect),
      ];
    }
    case "git-upstream":
      return [`clone and fetch ${plain(change.url)}`, pushWords(change.push)];
    case "git-branch":
      return [`upstream ${plain(change.upstream)}`, pushWords(change)];
  }
}

const RESTART = "pipelock restarts for it: what is under way through it now breaks off";

function passedThrough(inspect: boolean | undefined): string[] {
  return inspect === false ? ["NOT inspected, by any rule of that host: nobody reads what the agent sends there", RESTART] : [];
}

function hostWords(host: string): string {
  return host.startsWith("*.") ? `EVERY host under ${plain(host.slice(2))}, at any depth` : plain(host);
}

function pushWords(push: { branches?: readonly string[]; tags?: readonly string[] } | undefined): string {
  const parts = [...(push?.branches?.length ? [`branches ${push.branches.map((each) => plain(each)).join(", ")}`] : []), ...(push?.tags?.length ? [`tags ${push.tags.map((each) => plain(each)).join(", ")}`] : [])];
  return parts.length === 0 ? "push nothing" : `push ${parts.join(" and ")}`;
}

/** One line for a list. */
export function inShort({ kind, change }: Change): string {
  if (kind === "host") return plain(change.host);
  if (kind === "route") return plain(`${change.methods?.join(",") ?? "any"} ${change.host}${change.paths?.join(" ") ?? ""}`).slice(0, 80);
  return plain(kind === "git-upstream" ? change.url : `${change.upstream}: ${[...(change.branches ?? []), ...(change.tags ?? [])].join(", ")}`).slice(0, 80);
}
