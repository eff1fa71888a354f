// What was refused lately: the tails of egress's and git-gate's logs, newest first.
import { readTail } from "./files.ts";
import { limits } from "./limits.ts";

type Line = Readonly<Record<string, unknown>>;

const told = {
  egress: ["host", "port", "scheme", "method", "path", "status", "reason", "detail"],
  gate: ["upstream", "path", "outcome", "reason", "error", "kind", "refs", "findings"],
} as const;

/** @param count how many at most. */
export function lastRefusals(egressLog: string, gateLog: string, count: number): object[] {
  const web = lines(egressLog).filter(({ decision }) => decision === "refuse").map((line) => ({ time: line["ts"], by: "egress", ...pick(line, told.egress), ...ask(line) }));
  const git = lines(gateLog).filter(({ event, outcome }) => event === "sync-failed" || event === "refused" || (event === "push" && outcome !== "accepted")).map((line) => ({ time: line["time"], by: "git-gate", ...pick(line, told.gate), ...askGate(line) }));
  return [...web, ...git].sort((a, b) => (String(a.time) < String(b.time) ? 1 : -1)).slice(0, count);
}

function lines(path: string): Line[] {
  return readTail(path, limits.logTail).split("\n").flatMap((line) => {
    try {
      const value = JSON.parse(line) as unknown;
      return typeof value === "object" && value !== null ? [value as Line] : [];
    } catch {
      return []; // the last one may be half written
    }
  });
}

function pick(line: Line, keys: readonly string[]): Line {
  return Object.fromEntries(keys.filter((key) => line[key] !== undefined).map((key) => [key, line[key]]));
}

const routeReasons = new Set(["port_not_allowed", "scheme_not_allowed", "method_not_allowed", "path_not_allowed", "query_not_allowed", "websocket_not_allowed", "rule_expired"]);

/** The tool that asks for what was refused, where anything can be asked for. */
function ask({ reason, host, port, path }: Line): { ask?: string } {
  if (typeof host !== "string" || !/\.[a-z]/i.test(host)) return {};
  if (String(path).endsWith("/info/refs") && (reason === "host_not_allowed" || routeReasons.has(String(reason)))) return { ask: "request_git_upstream" };
  if (reason === "host_not_allowed") return { ask: [80, 443].includes(port as number) ? "request_host" : "request_route" };
  if (reason === "content_refused") return { ask: "request_host" };
  return routeReasons.has(String(reason)) ? { ask: "request_route" } : {};
}

/** git-gate says itself what asks for it, and with which arguments. */
function askGate({ ask: given }: Line): { ask?: unknown; arguments?: unknown } {
  const { tool, arguments: args } = (given ?? {}) as Line;
  return tool === undefined ? {} : { ask: tool, arguments: args };
}
