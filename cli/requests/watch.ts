// The live view. Node's own readline does keys and drawing; a decision leaves the view and is the command's own.
import { emitKeypressEvents, clearScreenDown, cursorTo } from "node:readline";
import type { Project } from "../project.ts";
import { ask, bold, dim, plain, span } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { approve, showRequest } from "./approve.ts";
import { refuse } from "./decide.ts";
import { allRequests, isPending, type Entry } from "./read.ts";
import type { Change } from "./request.ts";
import { inShort } from "./words.ts";

const REFRESH = 1_000;

export async function watch(project: Project, stack: string | undefined): Promise<void> {
  const view = new View(project, stack);
  emitKeypressEvents(process.stdin);
  for (;;) {
    const key = await view.nextKey();
    const entry = view.chosen;
    if (key === "q") return;
    if (entry === undefined) continue;
    await act(project, entry, key).catch((error: unknown) => {
      if (!(error instanceof UserError)) throw error;
      process.stderr.write(`${error.message}\n${error.mend ? `  mend:  ${error.mend}\n` : ""}`);
    });
    await ask(dim("Enter goes back to the list "));
  }
}

async function act(project: Project, entry: Entry, key: string): Promise<void> {
  switch (key) {
    case "s":
      if (entry.request === undefined) throw new UserError(`${entry.id}: malformed: ${plain(entry.malformed ?? "")}`);
      return void (await showRequest(project, entry));
    case "a":
      return approve(project, entry.id, {});
    case "e":
      return approve(project, entry.id, { edit: true });
    case "r": {
      const why = plain(await ask(`Why is ${entry.id} rejected? `));
      if (why === "") throw new UserError("nothing was done: the agent needs a reason");
      return refuse(entry, why.slice(0, 1_000));
    }
  }
}

class View {
  readonly #project: Project;
  readonly #stack: string | undefined;
  #entries: Entry[] = [];
  #at = 0;

  constructor(project: Project, stack: string | undefined) {
    this.#project = project;
    this.#stack = stack;
  }

  get chosen(): Entry | undefined {
    return this.#entries[this.#at];
  }

  /** Draws until a key asks for something. */
  nextKey(): Promise<string> {
    this.#draw();
    process.stdin.setRawMode(true).resume();
    return new Promise((resolve) => {
      const timer = setInterval(() => this.#draw(), REFRESH);
      const onKey = (_text: string, key: { name?: string; ctrl?: boolean }): void => {
        const name = key.ctrl && key.name === "c" ? "q" : key.name === "return" ? "s" : (key.name ?? "");
        if (name === "up" || name === "k") this.#move(-1);
        else if (name === "down" || name === "j") this.#move(1);
        else if ("qsaer".includes(name) && name.length === 1) {
          clearInterval(timer);
          process.stdin.off("keypress", onKey).setRawMode(false).pause();
          process.stdout.write("\n");
          resolve(name);
        }
      };
      process.stdin.on("keypress", onKey);
    });
  }

  #move(by: number): void {
    this.#at += by;
    this.#draw();
  }

  #draw(): void {
    const chosen = this.chosen?.id;
    this.#entries = allRequests(this.#project, this.#stack === undefined ? undefined : [this.#stack]).filter(isPending);
    const same = this.#entries.findIndex(({ id }) => id === chosen);
    this.#at = Math.max(0, Math.min(same >= 0 && this.#entries[this.#at]?.id !== chosen ? same : this.#at, this.#entries.length - 1));
    cursorTo(process.stdout, 0, 0);
    clearScreenDown(process.stdout);
    const width = process.stdout.columns ?? 80;
    const rows = Math.max(3, (process.stdout.rows ?? 24) - 5);
    const first = Math.max(0, this.#at - rows + 1);
    const lines = this.#entries.slice(first, first + rows).map((entry, index) => {
      const what = entry.request ? `${entry.request.kind} ${inShort(entry.request as Change)}  ${plain(entry.request.why)}` : `malformed: ${plain(entry.malformed ?? "")}`;
      const age = entry.request ? span(Date.now() - Date.parse(entry.request.created_at)) : "";
      const line = `${first + index === this.#at ? ">" : " "} ${entry.id}  ${entry.stack}  ${age.padEnd(6)} ${what}`.slice(0, width - 1);
      return first + index === this.#at ? bold(line) : line;
    });
    process.stdout.write([bold(`Requests: ${this.#entries.length}`), "", ...(lines.length > 0 ? lines : ["  none waits"]), "", dim("up/down choose   s show   a approve   e edit and approve   r reject   q quit")].join("\n"));
  }
}
