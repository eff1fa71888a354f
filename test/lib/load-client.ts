// Runs inside an agent, by `node --input-type=module-typescript -`: many requests over kept connections, each outcome
// counted. LOAD: a Load as JSON. stdout: a Tally by the stream's name.
import { existsSync } from "node:fs";
import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, get as httpsGet } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

export interface Stream {
  readonly name: string;
  readonly url: string;
  /** Requests at once, each over a connection that is kept. */
  readonly workers: number;
  /** Milliseconds between two of a worker's. */
  readonly pause: number;
  /** Whether its requests count for `requests`. */
  readonly counts: boolean;
}

export interface Load {
  readonly streams: readonly Stream[];
  /** How many are made at least. */
  readonly requests: number;
  /** File whose presence lets it end. */
  readonly stop: string;
}

/** Times in milliseconds since the epoch. */
export interface Outcome {
  count: number;
  firstEnd: number;
  lastStart: number;
}

/** Outcomes by status, or by what went wrong without one. */
export type Tally = Record<string, Outcome>;

const { streams, requests, stop } = JSON.parse(process.env["LOAD"]!) as Load;
const tallies: Record<string, Tally> = {};
let made = 0;

await Promise.all(streams.flatMap((stream) => Array.from({ length: stream.workers }, () => work(stream))));
process.stdout.write(JSON.stringify(tallies));
process.exit(0);

async function work({ name, url, pause, counts }: Stream): Promise<void> {
  const tally = (tallies[name] ??= {});
  // One connection a worker: Node's own way through the proxy that the environment names.
  const options = { keepAlive: true, maxSockets: 1, proxyEnv: process.env };
  const agent = url.startsWith("https:") ? new HttpsAgent(options) : new HttpAgent(options);
  while (made < requests || !existsSync(stop)) {
    if (counts) made++;
    const start = Date.now();
    const got = await ask(url, agent);
    const outcome = (tally[got] ??= { count: 0, firstEnd: Date.now(), lastStart: start });
    outcome.count++;
    outcome.lastStart = start;
    if (pause > 0) await sleep(pause);
  }
}

function ask(url: string, agent: HttpAgent | HttpsAgent): Promise<string> {
  return new Promise((resolve) => {
    const request = (url.startsWith("https:") ? httpsGet : httpGet)(url, { agent, timeout: 30_000 }, (response: IncomingMessage) => {
      response.resume();
      response.on("end", () => resolve(String(response.statusCode)));
      response.on("error", (error: NodeJS.ErrnoException) => resolve(`cut off: ${error.code ?? error.message}`));
    });
    request.on("timeout", () => request.destroy(new Error("timeout")));
    request.on("error", (error: NodeJS.ErrnoException) => resolve(`${request.reusedSocket ? "kept connection: " : ""}${error.code ?? error.message}`));
  });
}
