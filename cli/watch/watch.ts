// The live view of requests. A decision leaves the view and is the command's own.
import { basename } from "node:path";
import { stacksOf, type Project } from "../project.ts";
import { ask, dim, interactive, plain, tell } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { approve, showRequest } from "../requests/approve.ts";
import { lookForCutOff } from "../decisions/cut-off.ts";
import { alreadyDecided, refuse } from "../decisions/decide.ts";
import type { PolicyOptions } from "../requests/policy-packs.ts";
import { allRequests, findRequest, isPending, readEntry, type Entry } from "../requests/read.ts";
import { Screen } from "./screen.ts";
import { viewLines } from "./view.ts";

type Act = "show" | "approve" | "edit" | "reject";

const moves: Record<string, number> = { up: -1, k: -1, down: 1, j: 1, pageup: -10, pagedown: 10, home: -Infinity, end: Infinity };
const acts: Record<string, Act | "quit"> = { s: "show", return: "show", enter: "show", a: "approve", e: "edit", r: "reject", q: "quit", "ctrl-c": "quit", "ctrl-d": "quit" };

export async function watch(project: Project, stack: string | undefined, policies: PolicyOptions): Promise<void> {
  await lookForCutOff(project, stack === undefined ? stacksOf(project) : [stack], tell);
  const list = new List(project, stack);
  const screen = new Screen();
  for (;;) {
    const act = await screen.keys(
      () => list.draw(screen),
      (key) => list.press(key),
    );
    if (act === null || act === "quit") return;
    await carryOut(project, list.chosen!, act, policies).catch((error: unknown) => {
      if (!(error instanceof UserError)) throw error;
      process.stderr.write(`${error.message}\n${error.mend ? `  mend:  ${error.mend}\n` : ""}`);
    });
    if (!interactive()) return;
    const next = await ask(dim("Enter goes back to the list, q quits ")).catch(() => "q");
    if (next === "q") return;
  }
}

async function carryOut(project: Project, chosen: Entry, act: Act, policies: PolicyOptions): Promise<void> {
  const { id, stack } = chosen;
  const entry = findRequest(project, id);
  if (!isPending(entry)) throw alreadyDecided(entry, entry.state);
  switch (act) {
    case "show":
      if (entry.request === undefined) throw alreadyDecided(entry, entry.state);
      await lookForCutOff(project, [stack], tell);
      return void (await showRequest(project, entry, { policies }));
    case "approve":
    case "edit":
      return approve(project, id, { edit: act === "edit", ...policies });
    case "reject": {
      const why = plain(await ask(`Why is ${id} rejected? `));
      if (why === "") throw new UserError("nothing was done: the agent needs a reason");
      await refuse(entry, why.slice(0, 1_000));
      process.stdout.write(`${id} is rejected\n`);
    }
  }
}

/** What waits, and which of it is chosen: by its id, wherever it moves to. */
class List {
  readonly #project: Project;
  readonly #stack: string | undefined;
  /** Every request that was ever seen here: one of no other id is new. */
  #known: Set<string> | undefined;
  #entries: Entry[] = [];
  #chosen: Entry | undefined;
  #note = "";

  constructor(project: Project, stack: string | undefined) {
    this.#project = project;
    this.#stack = stack;
  }

  get chosen(): Entry | undefined {
    return this.#chosen;
  }

  press(key: string): Act | "quit" | undefined {
    const act = acts[key];
    if (act !== undefined) return act === "quit" || this.#chosen !== undefined ? act : undefined;
    const by = moves[key];
    if (by === undefined) return undefined;
    this.#note = "";
    this.#choose(this.#index() + by);
    return undefined;
  }

  draw(screen: Screen): void {
    const stacks = this.#stack === undefined ? stacksOf(this.#project) : [this.#stack];
    const at = this.#index();
    this.#entries = allRequests(this.#project, stacks).filter(isPending);
    this.#noticeNew(screen);
    const now = this.#chosen && this.#entries.find((entry) => isSame(entry, this.#chosen!));
    if (this.#chosen !== undefined && now === undefined) this.#note = `${this.#chosen.id} ${fate(this.#chosen)}`;
    if (now !== undefined) this.#chosen = now;
    else this.#choose(at);
    const { columns = 80, rows = 24 } = process.stdout;
    screen.show(viewLines({ project: basename(this.#project.folder), stacks, entries: this.#entries, at: this.#index(), note: this.#note, columns, rows, now: Date.now() }));
  }

  #noticeNew(screen: Screen): void {
    const ids = this.#entries.map(({ stack, id }) => `${stack}/${id}`);
    const fresh = this.#known === undefined ? [] : this.#entries.filter((_, index) => !this.#known!.has(ids[index]!));
    this.#known = new Set([...(this.#known ?? []), ...ids]);
    for (const { id, stack } of fresh) {
      screen.ring();
      this.#note = `new: ${id} of ${plain(stack)}`;
    }
  }

  #index(): number {
    return Math.max(0, this.#entries.findIndex((entry) => this.#chosen !== undefined && isSame(entry, this.#chosen)));
  }

  #choose(index: number): void {
    this.#chosen = this.#entries[Math.max(0, Math.min(index, this.#entries.length - 1))];
  }
}

const isSame = (a: Entry, b: Entry): boolean => a.id === b.id && a.stack === b.stack;

/** What became of a request that waits no more. */
function fate({ stack, root, id }: Entry): string {
  const { state } = readEntry(stack, root, id);
  return state === "malformed" ? "is gone" : `is ${state} now`;
}
