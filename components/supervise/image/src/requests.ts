// The bottle's requests: one file each, answered by files that the host writes.
import { randomInt } from "node:crypto";
import { readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { answerSchema, changeFaults, FILE_MAX, FORMAT, ID, parseRequest, sameness, type AccessRequest, type Answer, type Change, type Kind } from "../../request.ts";
import { readWhole } from "./files.ts";
import { limits } from "./limits.ts";
import { log } from "./log.ts";

const HOUR = 3_600_000;
/** Milliseconds between two looks for an answer. Not watched: not every file system of a host tells of changes. */
const LOOK = 250;

/** Why a request was not filed; told to the agent. */
export class Refused extends Error {}

/** A request with what became of it. */
export interface State {
  readonly request: AccessRequest;
  readonly status: "open" | Answer["decision"];
  readonly answer?: Answer;
}

export class Requests {
  private readonly byId = new Map<string, AccessRequest>();
  private readonly answers = new Map<string, Answer>();
  private waiting = 0;
  private readonly folder: string;
  private readonly answerFolder: string;
  private readonly now: () => number;

  /** Reads what an earlier run filed. A file that is none of ours is left alone. */
  constructor(folder: string, answerFolder: string, now: () => number = Date.now) {
    this.folder = folder;
    this.answerFolder = answerFolder;
    this.now = now;
    for (const name of readdirSync(folder)) {
      const id = name.replace(/\.json$/, "");
      if (name.endsWith(".tmp")) rmSync(join(folder, name), { force: true });
      if (!ID.test(id) || name === id) continue;
      const parsed = parseRequest(readWhole(join(folder, name), FILE_MAX) ?? "", id);
      if ("request" in parsed) this.byId.set(id, parsed.request);
      else log("request_unreadable", { id, fault: parsed.fault });
    }
  }

  /**
   * Files a request, or finds the open one for the very same thing.
   *
   * @throws Refused with what to mend.
   */
  file<K extends Kind>(kind: K, change: Change[K], why: string, forSeconds: number | null): { readonly request: AccessRequest; readonly repeated: boolean } {
    const faults = changeFaults(kind, change);
    if (faults.length > 0) throw new Refused(`Not filed, mend this and ask again:\n${faults.slice(0, 10).map((fault) => `- ${fault}`).join("\n")}`);
    const open = this.list().filter(({ status }) => status === "open");
    const same = open.find(({ request }) => sameness(request.kind, request.change) === sameness(kind, change));
    if (same) return { request: same.request, repeated: true };
    if (open.length >= limits.open) throw new Refused(`Not filed: ${limits.open} requests are open already; wait for answers (list_requests, wait_for_answer).`);
    const now = this.now();
    const lately = [...this.byId.values()].map(({ created_at }) => Date.parse(created_at)).filter((at) => at > now - HOUR);
    if (lately.length >= limits.anHour) {
      throw new Refused(`Not filed: ${limits.anHour} requests were filed within an hour; the next is possible in ${Math.ceil((Math.min(...lately) + HOUR - now) / 60_000)} minutes.`);
    }
    const request = {
      format: FORMAT,
      id: this.newId(),
      created_at: instant(now),
      expires_at: instant(now + limits.lifeHours * HOUR),
      kind,
      change,
      why: why.replace(/\s+/g, " ").trim(),
      for_seconds: forSeconds,
    } as AccessRequest;
    const text = `${JSON.stringify(request, null, 2)}\n`;
    const checked = parseRequest(text, request.id);
    if ("fault" in checked) throw new Refused(`Not filed: ${checked.fault}`);
    const temporary = join(this.folder, `${request.id}.tmp`);
    writeFileSync(temporary, text, { mode: 0o600, flag: "wx" });
    renameSync(temporary, join(this.folder, `${request.id}.json`));
    this.byId.set(request.id, request);
    this.prune();
    log("request", { id: request.id, kind });
    return { request, repeated: false };
  }

  /** undefined where this bottle has no such request. */
  state(id: string): State | undefined {
    const request = this.byId.get(id);
    if (request === undefined) return undefined;
    const answer = this.answer(id);
    if (answer) return { request, status: answer.decision, answer };
    return { request, status: Date.parse(request.expires_at) <= this.now() ? "expired" : "open" };
  }

  /** Newest first. */
  list(): State[] {
    const states = [...this.byId.keys()].map((id) => this.state(id)!);
    return states.sort((a, b) => (a.request.created_at < b.request.created_at ? 1 : -1));
  }

  /**
   * Waits until the request is no longer open.
   *
   * @param seconds how long at most.
   * @returns its state then; undefined where there is no such request.
   * @throws Refused where too many wait already.
   */
  async wait(id: string, seconds: number, signal: AbortSignal): Promise<State | undefined> {
    if (this.waiting >= limits.waiting) throw new Refused(`${limits.waiting} calls wait for answers already; one of them will tell.`);
    const end = this.now() + seconds * 1000;
    this.waiting++;
    try {
      for (;;) {
        const state = this.state(id);
        if (state?.status !== "open" || this.now() >= end) return state;
        await sleep(LOOK, undefined, { signal });
      }
    } finally {
      this.waiting--;
    }
  }

  private answer(id: string): Answer | undefined {
    const known = this.answers.get(id);
    if (known) return known;
    const text = readWhole(join(this.answerFolder, `${id}.json`), FILE_MAX);
    if (text === undefined) return undefined;
    try {
      const answer = answerSchema.parse(JSON.parse(text));
      if (answer.id !== id) return undefined;
      this.answers.set(id, answer);
      return answer;
    } catch {
      return undefined; // the host writes it whole; one that is not readable is no answer
    }
  }

  /** Closed requests beyond those that are kept go; answers are the host's. Those within the hour still count. */
  private prune(): void {
    const closed = this.list().filter(({ status, request }) => status !== "open" && Date.parse(request.created_at) < this.now() - HOUR);
    for (const { request } of closed.slice(limits.kept)) {
      rmSync(join(this.folder, `${request.id}.json`), { force: true });
      this.byId.delete(request.id);
      this.answers.delete(request.id);
    }
  }

  /** An answer of an earlier request that is gone must not meet a new one. */
  private newId(): string {
    for (;;) {
      const id = `r${Array.from({ length: 7 }, () => "abcdefghijklmnopqrstuvwxyz234567"[randomInt(32)]).join("")}`;
      if (!this.byId.has(id) && readWhole(join(this.answerFolder, `${id}.json`), FILE_MAX) === undefined) return id;
    }
  }
}

function instant(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
