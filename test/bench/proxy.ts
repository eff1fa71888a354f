// Traffic from a container like the agent's through the chain, beside a direct connection to the same upstream.
import type { Table } from "./figures.ts";
import { median, quantile, type Figure, type Target } from "./figures.ts";
import { direct, Lab, throughChain } from "./lab.ts";
import { hosts, type Scratch } from "./scratch.ts";
import type { Answers, Way } from "./traffic/measures.ts";

/** How much of each. */
export interface Amounts {
  readonly connections: number;
  readonly kept: number;
  readonly loadSeconds: number;
  readonly streams: number;
  readonly posts: number;
}

const LOAD_REQUESTS = 20_000;
const MB = 1_000_000;
const TURNS = 200;

/** What DESIGN.md measured of such a chain (§6): at least this is to be reached. Milliseconds, requests/s, MB/s. */
interface Reach {
  readonly new: number;
  readonly kept: number;
  readonly load: number;
  readonly cpu: number;
  readonly bulk?: number;
}
const passedThrough: Reach = { new: 44, kept: 7, load: 240, cpu: 3.2, bulk: 56 };
const inspected: Reach = { new: 40, kept: 22, load: 60, cpu: 19 };
/** Milliseconds, for hosts passed through: an LLM agent's traffic must feel direct. */
const feelsDirect = { event: 100, post: 50 };

interface Kind {
  readonly title: string;
  readonly way: Way;
  readonly reach?: Reach;
  readonly inspected: boolean;
}

const kinds: readonly Kind[] = [
  { title: "Direct", way: direct, inspected: false },
  { title: "Chain, host passed through, tunnelled (network.hosts, inspect: false)", way: throughChain(hosts.tunnelled), reach: passedThrough, inspected: false },
  { title: "Chain, host passed through, opened by egress (route with methods, paths, auth; inspect: false)", way: throughChain(hosts.opened), reach: passedThrough, inspected: false },
  { title: "Chain, host inspected by pipelock (network.hosts)", way: throughChain(hosts.inspected), reach: inspected, inspected: true },
  { title: "Chain, host opened by egress and inspected by pipelock (route with methods, paths, auth)", way: throughChain(hosts.both), reach: inspected, inspected: true },
];

/** Everything measured on one way. */
interface Taken {
  readonly new: Answers["new"];
  readonly kept: Answers["kept"];
  readonly load: Answers["load"];
  /** Milliseconds of egress's and pipelock's CPU for each request under load. */
  readonly cpu: number;
  readonly events: Answers["events"];
  readonly down?: Answers["down"] | Error;
  readonly up?: Answers["up"] | Error;
  readonly post: Answers["post"];
  readonly chat: Answers["chat"];
}

/** Measures each way in turn; the bottle is up. */
export async function measureProxy(scratch: Scratch, amounts: Amounts, say: (line: string) => void): Promise<Table[]> {
  const lab = await Lab.start(scratch);
  await rulesHold(lab);
  const tables: Table[] = [];
  let beside: Taken | undefined;
  for (const kind of kinds) {
    say(`proxy: ${kind.title}`);
    const taken = await take(lab, kind, amounts);
    tables.push({ title: kind.title, remarks: [], figures: figures(kind, taken, beside) });
    beside ??= taken;
  }
  await lab.stop();
  return tables;
}

/** Figures of a chain that lets everything through would say nothing. @throws Error naming what does not hold */
async function rulesHold(lab: Lab): Promise<void> {
  for (const host of [hosts.opened, hosts.both]) {
    const seen = await lab.ask<"get">(throughChain(host), { kind: "get", path: "/v1/headers" });
    const names = seen.status === 200 ? (JSON.parse(seen.start) as string[]) : [];
    if (!names.includes("x-api-key")) throw new Error(`${host}: the route's credential does not reach the upstream: ${seen.status} ${seen.start}`);
    const other = await lab.ask<"get">(throughChain(host), { kind: "get", path: "/v2/headers" });
    if (other.status !== 403) throw new Error(`${host}: a path that no route allows was answered with ${other.status}`);
  }
}

async function take(lab: Lab, { way, inspected }: Kind, amounts: Amounts): Promise<Taken> {
  const fresh = await lab.ask<"new">(way, { kind: "new", count: amounts.connections });
  const kept = await lab.ask<"kept">(way, { kind: "kept", count: amounts.kept });
  const before = await lab.proxyCpu();
  const load = await lab.ask<"load">(way, { kind: "load", connections: 16, requests: LOAD_REQUESTS, seconds: amounts.loadSeconds });
  const cpu = ((await lab.proxyCpu()) - before) * 1000;
  const events = await lab.ask<"events">(way, { kind: "events", streams: amounts.streams, events: 5 });
  // Scanning costs seconds a megabyte, and pipelock refuses what is larger than its limit: not for inspected hosts.
  const bulk = async (kind: "down" | "up") => (inspected ? undefined : lab.ask<typeof kind>(way, { kind, bytes: 100 * MB }).catch((error: Error) => error));
  const down = await bulk("down");
  const up = await bulk("up");
  const post = await lab.ask<"post">(way, { kind: "post", body: inspected ? "table" : "chat", bytes: 500_000, count: inspected ? 1 : amounts.posts });
  const chat = await lab.ask<"chat">(way, { kind: "chat", turns: inspected ? 40 : TURNS, step: 10 });
  return { new: fresh, kept, load, cpu: cpu / Math.max(1, load.answered), events, down, up, post, chat };
}

function figures({ reach, inspected }: Kind, taken: Taken, directly: Taken | undefined): Figure[] {
  const atMost = (bound: number | undefined, from: string): Target | undefined => (bound === undefined ? undefined : { bound, sense: "at most", from });
  const atLeast = (bound: number | undefined, from: string): Target | undefined => (bound === undefined ? undefined : { bound, sense: "at least", from });
  const beside = (value: (of: Taken) => number | undefined) => {
    const found = directly && value(directly);
    return found === undefined ? {} : { beside: { name: "direct", value: found } };
  };
  const middle = (samples: readonly number[]): number | undefined => (samples.length === 0 ? undefined : median(samples));
  const high = (samples: readonly number[]): number | undefined => (samples.length === 0 ? undefined : quantile(samples, 0.95));
  const rate = (load: Answers["load"]): number => load.answered / load.seconds;
  const speed = (transfer: Taken["down"]): number | undefined =>
    transfer === undefined || transfer instanceof Error || transfer.status !== 200 ? undefined : transfer.bytes / MB / transfer.seconds;
  const table = "DESIGN.md §6";
  const chain = reach !== undefined;
  const rows: Figure[] = [
    { what: "new connection, median", unit: "ms", value: middle(taken.new.milliseconds), ...beside((of) => middle(of.new.milliseconds)), target: atMost(reach?.new, table), note: faultNote(taken.new.faults) },
    { what: "new connection, 95 %", unit: "ms", value: high(taken.new.milliseconds), ...beside((of) => high(of.new.milliseconds)) },
    { what: "kept connection, median", unit: "ms", value: middle(taken.kept.milliseconds), ...beside((of) => middle(of.kept.milliseconds)), target: atMost(reach?.kept, table), note: keptNote(taken.kept) },
    { what: "kept connection, 95 %", unit: "ms", value: high(taken.kept.milliseconds), ...beside((of) => high(of.kept.milliseconds)) },
    { what: "requests/s, 16 connections", unit: "req/s", value: rate(taken.load), ...beside((of) => rate(of.load)), target: atLeast(reach?.load, table), note: loadNote(taken.load) },
    { what: "errors under that load", unit: "count", value: sum(taken.load.faults), target: atMost(chain && !inspected ? 0 : undefined, "no 502"), note: faultNote(taken.load.faults) },
  ];
  if (chain) rows.push({ what: "proxy CPU per request under that load", unit: "ms", value: taken.cpu, target: atMost(reach.cpu, table) });
  rows.push({
    ...{ what: "first server-sent event, median", unit: "ms", value: middle(taken.events.first), ...beside((of) => middle(of.events.first)) },
    ...{ target: atMost(chain && !inspected ? feelsDirect.event : undefined, "issue 3 §3"), note: faultNote(taken.events.faults) },
  });
  rows.push({ what: "later server-sent events, 95 %", unit: "ms", value: high(taken.events.later), ...beside((of) => high(of.events.later)) });
  if (!inspected) {
    for (const [what, transfer, other] of [["100 MB down", taken.down, (of: Taken) => of.down], ["100 MB up", taken.up, (of: Taken) => of.up]] as const) {
      rows.push({ what, unit: "MB/s", value: speed(transfer), ...beside((of) => speed(other(of))), target: atLeast(reach?.bulk, table), note: transferNote(transfer) });
    }
  }
  const posts = middle(taken.post.milliseconds);
  const most = directly && atMost(inspected ? undefined : median(directly.post.milliseconds) + feelsDirect.post, `direct + ${feelsDirect.post} ms`);
  rows.push({ what: `500 KB ${inspected ? "table of numbers" : "chat request"}, median`, unit: "ms", value: posts, ...beside((of) => middle(of.post.milliseconds)), target: most, note: faultNote(taken.post.faults) });
  rows.push({
    ...{ what: `refused requests of a chat of ${inspected ? 40 : TURNS} turns`, unit: "count", value: taken.chat.refusedAt === undefined ? 0 : 1 },
    ...{ target: atMost(chain && !inspected ? 0 : undefined, "none"), note: taken.chat.refusedAt === undefined ? undefined : `${taken.chat.status} at turn ${taken.chat.refusedAt}: ${taken.chat.said}` },
  });
  return rows;
}

function sum(faults: Readonly<Record<string, number>>): number {
  return Object.values(faults).reduce((all, count) => all + count, 0);
}

function faultNote(faults: Readonly<Record<string, number>>): string | undefined {
  const each = Object.entries(faults).map(([what, count]) => `${count} × ${what}`);
  return each.length === 0 ? undefined : each.join(", ");
}

function keptNote({ milliseconds, reopened, faults }: Answers["kept"]): string | undefined {
  const closed = reopened === 0 ? undefined : `closed by the other side after ${reopened} of ${milliseconds.length} responses`;
  return [closed, faultNote(faults)].filter(Boolean).join("; ") || undefined;
}

function loadNote({ answered, reopened, retried }: Answers["load"]): string {
  const extra = [reopened > 0 && `${reopened} reopened`, retried > 0 && `${retried} sent again`].filter(Boolean);
  return `${answered} requests${extra.length > 0 ? `, ${extra.join(", ")}` : ""}`;
}

function transferNote(transfer: Taken["down"]): string | undefined {
  if (transfer instanceof Error) return transfer.message.split("\n").at(-1);
  return transfer === undefined || transfer.status === 200 ? undefined : `status ${transfer.status}`;
}
