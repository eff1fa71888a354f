// Makes attempts, and judges them: what an attempt says of itself counts only where nothing arrived outside.
import { randomBytes } from "node:crypto";
import { Skip, type Attempt, type Result, type Seen, type Verdict } from "./attempt.ts";
import { atUpstream, gateUrl } from "./attempts/7-git.ts";
import { curl, sh, type Lab } from "./lab.ts";
import { names } from "./outside.ts";

/** How many attempts go on at once: they wait more than they work. */
const AT_ONCE = 4;

export interface RunOptions {
  readonly onControl?: (control: Control) => void;
  readonly onResult?: (result: Result) => void;
  /** Asked before each attempt: Ctrl-C. */
  readonly stopped?: () => boolean;
}

/**
 * A whole run: the bottles let through what they allow, before the attempts and after them (a bottle that is down holds
 * everything), and only then do they go.
 */
export async function contain(lab: Lab, attempts: readonly Attempt[], options: RunOptions = {}): Promise<{ controls: Control[]; results: Result[] }> {
  const checked: Control[] = [];
  const check = async (when: string): Promise<void> => {
    for (const { what, ...control } of await controls(lab)) {
      checked.push({ what: `${what}, ${when}`, ...control });
      options.onControl?.(checked.at(-1)!);
    }
  };
  await check("before the attempts");
  const results = await runAttempts(lab, attempts.filter(({ last }) => !last), options);
  if (!options.stopped?.()) await check("after them");
  return { controls: checked, results: [...results, ...(await runAttempts(lab, attempts.filter(({ last }) => last), options))] };
}

/** Makes all of them, those that must be alone last. @returns results in the order of the attempts */
export async function runAttempts(lab: Lab, attempts: readonly Attempt[], options: RunOptions = {}): Promise<Result[]> {
  const results = new Map<Attempt, Result>();
  const make = async (attempt: Attempt): Promise<void> => {
    if (options.stopped?.()) return;
    const result = await runAttempt(lab, attempt);
    results.set(attempt, result);
    options.onResult?.(result);
  };
  const waiting = attempts.filter(({ alone }) => !alone);
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await make(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const attempt of attempts) if (attempt.alone) await make(attempt);
  return attempts.flatMap((attempt) => results.get(attempt) ?? []);
}

export async function runAttempt(lab: Lab, attempt: Attempt): Promise<Result> {
  const marker = `c${randomBytes(9).toString("hex")}`;
  const started = performance.now();
  const result = (verdict: Verdict, seen: string): Result => ({ attempt, verdict, seen, took: Math.round(performance.now() - started) });
  let seen: Seen;
  try {
    seen = await attempt.try(lab, marker);
  } catch (error) {
    const arrived = lab.outside.saw(marker);
    if (arrived !== undefined && attempt.byDesign === undefined) return result("escaped", `arrived at ${arrived}`);
    const { message } = error as Error;
    return error instanceof Skip ? result("skipped", message) : result("broken", message.split("\n").slice(0, 3).join(" ").slice(0, 300));
  }
  const arrived = lab.outside.saw(marker);
  if (seen.held && arrived === undefined) return result("held", seen.seen);
  const text = arrived === undefined ? seen.seen : `arrived at ${arrived} (${seen.seen})`;
  return result(attempt.byDesign === undefined ? "escaped" : "by design", text);
}

/** What shows that attempts could be seen to succeed. `ok` false: the run proves nothing. */
export interface Control {
  readonly what: string;
  readonly ok: boolean;
  readonly seen: string;
}

/** The bottles let through what they allow, each of their ways. */
async function controls(lab: Lab): Promise<Control[]> {
  const ask = async (what: string, bottle: Lab["bottle"], url: (marker: string) => string, args = ""): Promise<Control> => {
    const marker = `k${randomBytes(9).toString("hex")}`;
    const { status, error } = await curl(bottle, `${args} ${url(marker)}`);
    const arrived = lab.outside.saw(marker);
    return { what, ok: status === 200 && arrived !== undefined, seen: status === 200 ? `200; arrived at ${arrived ?? "nowhere"}` : `${status} ${error}` };
  };
  const all = await Promise.all([
    ask("an inspected host answers", lab.bottle, (marker) => `https://${names.docs}/${marker}`),
    ask("a passed-through host answers", lab.bottle, (marker) => `https://${names.files}/${marker}`),
    ask("a host under the wildcard answers", lab.bottle, (marker) => `https://${names.wild}/${marker}`),
    ask("a route answers within its rule", lab.bottle, (marker) => `https://${names.api}/v1/${marker}`),
    ask("an inspected route answers within its rule", lab.bottle, (marker) => `'https://${names.repo}/repos/org/${marker}?kind=open-1'`),
    ask("the bottle without egress reaches its host", lab.plain, (marker) => `https://${names.docs}/${marker}`),
  ]);
  const authorized = lab.outside.upstream.requests.filter(({ headers }) => headers["host"] === names.api).at(-1)?.headers["x-api-key"];
  if (lab.gitUpstream !== undefined) all.push(await pushes(lab));
  return [...all, { what: "egress puts the credential on", ok: authorized === lab.tokens.api, seen: authorized === lab.tokens.api ? "the token itself" : String(authorized) }];
}

/** A harmless commit goes through git-gate. */
async function pushes(lab: Lab): Promise<Control> {
  const marker = `k${randomBytes(9).toString("hex")}`;
  const { out, error } = await sh(lab.bottle, `d=$(mktemp -d) && cd $d && git clone -q ${gateUrl(lab)} w && cd w && git checkout -q -b agent/${marker} && echo harmless > harmless.txt && git add -A && git commit -q -m "note ${marker}" && git push -q origin HEAD 2>&1; rm -rf $d`, { timeout: 90_000 });
  const there = await atUpstream(lab, marker);
  return { what: "a harmless push goes through git-gate", ok: there.length > 0, seen: there[0] ?? `${out} ${error}`.slice(0, 200) };
}
