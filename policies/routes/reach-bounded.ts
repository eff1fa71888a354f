import { reachOf, STACK, type Entry } from "../lib/network-rules.ts";
import { resourceRule } from "../lib/rule.ts";

interface Config {
  maxHosts: number;
  maxRoutes: number;
  maxGrantDays: number;
}

/** Keys by which a host or route says when it ends. */
const ends = ["expires", "until"];
const DAY = 24 * 60 * 60 * 1000;

export const reachBounded = resourceRule<Config>({
  name: "reach-bounded",
  description: "A bottle has few enough hosts and routes to be looked through, and temporary ones end soon.",
  severity: "medium",
  config: {
    maxHosts: { type: "integer", minimum: 0, default: 50, description: "Hosts allowed as a whole." },
    maxRoutes: { type: "integer", minimum: 0, default: 50, description: "Routes." },
    maxGrantDays: { type: "number", minimum: 0, default: 7, description: "Longest time from now that a host or route with `expires` may have left, in days." },
  },
  check: ({ type, inputs }, report, { maxHosts, maxRoutes, maxGrantDays }) => {
    const { entries } = reachOf(type, inputs);
    const count = (kind: Entry["kind"]) => entries.filter((entry) => entry.kind === kind).length;
    const where = type === STACK ? "bottle:network" : "stdin";
    const tooMany = (kind: Entry["kind"], limit: number, name: string) => {
      if (count(kind) > limit) report(`${where}.${kind}s`, `has ${count(kind)} entries, more than ${limit}; remove what is no longer used, or raise ${name}`);
    };
    tooMany("host", maxHosts, "maxHosts");
    tooMany("route", maxRoutes, "maxRoutes");
    for (const { path, entry } of entries) {
      for (const key of ends.filter((each) => entry[each] !== undefined)) {
        const left = Date.parse(String(entry[key])) - Date.now();
        if (Number.isNaN(left)) report(`${path}.${key}`, "is no time; write it as 2026-01-31T12:00:00Z");
        else if (left <= 0) report(`${path}.${key}`, "has passed; remove the entry, or grant it anew");
        else if (left > maxGrantDays * DAY) report(`${path}.${key}`, `is more than ${maxGrantDays} days away; grant it for less, or raise maxGrantDays`);
      }
    }
  },
});
