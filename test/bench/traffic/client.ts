// The client of the proxy figures, run in a container: node client.ts. stdin: {way: Way, measure: Measure}; stdout: its answer.
import { readFileSync } from "node:fs";
import { Connection, ConnectionError, trust, type Reply, type Target } from "./http.ts";
import type { Answers, Latencies, Measure, MeasureOf, Way } from "./measures.ts";

const { way, measure } = JSON.parse(readFileSync(0, "utf8")) as { way: Way; measure: Measure };
const target: Target = { host: way.host, proxy: way.proxy, secureContext: trust(readFileSync(way.caFile, "utf8")) };
const now = (): number => performance.now();

function answer(asked: Measure): Promise<Answers[Measure["kind"]]> {
  switch (asked.kind) {
    case "new":
      return newConnections(asked);
    case "kept":
      return repeat(asked.count, () => [get("/v1/small")]);
    case "load":
      return load(asked);
    case "events":
      return events(asked);
    case "down":
      return transfer(get(`/v1/bytes?n=${asked.bytes}`), undefined, asked.bytes);
    case "up":
      return transfer(post("/v1/upload", asked.bytes), blocks(asked.bytes), asked.bytes);
    case "post": {
      const body = asked.body === "chat" ? conversationOf(asked.bytes) : tableOf(asked.bytes);
      return repeat(asked.count, () => [post("/v1/messages", body.length), body]);
    }
    case "get":
      return once(asked.path);
    case "chat":
      return chat(asked);
  }
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${target.host}\r\nUser-Agent: bottle-bench\r\nAccept: */*\r\n\r\n`;
}

function post(path: string, length: number): string {
  return `POST ${path} HTTP/1.1\r\nHost: ${target.host}\r\nUser-Agent: bottle-bench\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
}

async function newConnections({ count }: MeasureOf<"new">): Promise<Latencies> {
  const result: Latencies = { milliseconds: [], reopened: 0, faults: {} };
  for (let n = 0; n < count; n++) {
    const start = now();
    try {
      const connection = await Connection.open(target);
      const reply = await connection.request(get("/v1/small"));
      if (note(reply, result.faults)) result.milliseconds.push(now() - start);
      connection.close();
    } catch (error) {
      fault(error, result.faults);
    }
  }
  return result;
}

/** The same request again and again over one connection. Opening it is not counted, opening it again is: so a client feels it. */
async function repeat(count: number, next: () => [string, Buffer?]): Promise<Latencies> {
  const result = { milliseconds: [] as number[], reopened: 0, faults: {} as Record<string, number> };
  let connection = await Connection.open(target);
  for (let n = -2; n < count; n++) {
    const start = now();
    try {
      if (!connection.usable) {
        result.reopened++;
        connection = await Connection.open(target);
      }
      const reply = await connection.request(...next());
      // The first two warm up.
      if (note(reply, result.faults) && n >= 0) result.milliseconds.push(now() - start);
    } catch (error) {
      fault(error, result.faults);
      connection.close();
    }
  }
  connection.close();
  return result;
}

async function load({ connections, requests, seconds }: MeasureOf<"load">): Promise<Answers["load"]> {
  const faults: Record<string, number> = {};
  let answered = 0;
  let started = 0;
  let reopened = 0;
  let retried = 0;
  const head = get("/v1/small");
  const pool = await Promise.all(Array.from({ length: connections }, () => Connection.open(target)));
  const start = now();
  const end = start + seconds * 1000;
  const worker = async (first: Connection): Promise<void> => {
    let connection = first;
    while (started < requests && now() < end) {
      started++;
      try {
        if (!connection.usable) {
          reopened++;
          connection = await Connection.open(target);
        }
        if (note(await connection.request(head), faults)) answered++;
      } catch (error) {
        // A kept connection that is closed just when a request goes out is no fault: every client sends it again.
        if (error instanceof ConnectionError && !error.fresh) {
          started--;
          retried++;
        } else {
          fault(error, faults);
        }
        connection.close();
      }
    }
    connection.close();
  };
  await Promise.all(pool.map(worker));
  return { answered, seconds: (now() - start) / 1000, reopened, retried, faults };
}

async function events({ streams, events: count }: MeasureOf<"events">): Promise<Answers["events"]> {
  const result = { first: [] as number[], later: [] as number[], faults: {} as Record<string, number> };
  for (let n = 0; n < streams; n++) {
    const connection = await Connection.open(target);
    let text = "";
    let seen = 0;
    const onBody = (chunk: Buffer): void => {
      const at = performance.timeOrigin + now();
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const sent = (JSON.parse(text.slice("data: ".length, end)) as { at: number }).at;
        (seen++ === 0 ? result.first : result.later).push(at - sent);
        text = text.slice(end + 2);
      }
    };
    try {
      note(await connection.request(get(`/v1/events?n=${count}`), undefined, onBody), result.faults);
      if (seen !== count) fault(new Error(`${seen} of ${count} events`), result.faults);
    } catch (error) {
      fault(error, result.faults);
    }
    connection.close();
  }
  return result;
}

async function transfer(head: string, body: Iterable<Buffer> | undefined, bytes: number): Promise<Answers["down"]> {
  const connection = await Connection.open(target);
  await connection.request(get("/v1/small")); // as a client with a kept connection has it
  const current = connection.usable ? connection : await Connection.open(target);
  const start = now();
  const reply = await current.request(head, body);
  const seconds = (now() - start) / 1000;
  const arrived = body === undefined ? reply.bytes : reply.status === 200 ? (JSON.parse(reply.start) as { bytes: number }).bytes : 0;
  current.close();
  if (reply.status === 200 && arrived !== bytes) throw new Error(`${arrived} of ${bytes} bytes arrived`);
  return { bytes: arrived, seconds, status: reply.status };
}

async function once(path: string): Promise<Answers["get"]> {
  const connection = await Connection.open(target);
  const { status, start } = await connection.request(get(path));
  connection.close();
  return { status, start };
}

async function chat({ turns, step }: MeasureOf<"chat">): Promise<Answers["chat"]> {
  let sent = 0;
  let connection = await Connection.open(target);
  for (let turn = 1; turn <= turns; turn += turn === 1 ? step - 1 : step) {
    if (!connection.usable) connection = await Connection.open(target);
    const body = conversation(turn);
    const reply = await connection.request(post("/v1/messages", body.length), body);
    sent++;
    if (reply.status !== 200) return { sent, refusedAt: turn, status: reply.status, said: reply.start.slice(0, 300) };
  }
  return { sent };
}

/** Words as people and agents write them, none of them secret. */
const words = "please look at the test that fails in the parser and mend it then run the suite again and tell me which files changed and why".split(" ");

/** A chat request in content blocks, as LLM clients send it. */
function conversation(turns: number): Buffer {
  const messages = Array.from({ length: turns }, (_, turn) => ({
    role: turn % 2 === 0 ? "user" : "assistant",
    content: [0, 1, 2].map((part) => ({ type: "text", text: Array.from({ length: 28 }, (_, n) => words[(turn * 7 + part * 3 + n * 5) % words.length]).join(" ") })),
  }));
  return Buffer.from(JSON.stringify({ model: "bench", max_tokens: 1024, stream: true, messages }));
}

/** One of just so many bytes: as many turns as fit, and blanks, which JSON allows at its end. */
function conversationOf(bytes: number): Buffer {
  const empty = conversation(0).length;
  const body = conversation(Math.floor((bytes - empty) / ((conversation(100).length - empty) / 100)) - 2);
  if (body.length > bytes) throw new Error(`a conversation of ${body.length} bytes does not fit into ${bytes}`);
  return Buffer.concat([body, Buffer.alloc(bytes - body.length, " ")]);
}

/** JSON of just so many bytes that no scanner takes for anything. */
function tableOf(bytes: number): Buffer {
  const rows = Array.from({ length: Math.floor(bytes / 30) }, (_, n) => [n % 100, (n * 7) % 100, (n * 13) % 100, (n * 29) % 100]);
  const body = Buffer.from(JSON.stringify({ rows }));
  return Buffer.concat([body, Buffer.alloc(bytes - body.length, " ")]);
}

function* blocks(count: number): Generator<Buffer> {
  const block = Buffer.alloc(64 * 1024, "bottle ");
  for (let left = count; left > 0; left -= block.length) yield left < block.length ? block.subarray(0, left) : block;
}

/** Counts a reply that is not 200. */
function note(reply: Reply, faults: Record<string, number>): boolean {
  if (reply.status !== 200) faults[reply.status] = (faults[reply.status] ?? 0) + 1;
  return reply.status === 200;
}

function fault(error: unknown, faults: Record<string, number>): void {
  const message = (error as Error).message;
  faults[message] = (faults[message] ?? 0) + 1;
}

process.stdout.write(`${JSON.stringify(await answer(measure))}\n`);
process.exit(0);
