// A terminal, as a human sits at one: a program on a pseudo-terminal of script(1), keys pressed and its screen read.
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { ok, until } from "./run.ts";

export interface TerminalOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly rows?: number;
  readonly columns?: number;
}

/** Quotes for sh. */
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

export class Terminal {
  /** Everything that was written to it. */
  output = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(program: string, args: readonly string[], { cwd, env, rows = 24, columns = 100 }: TerminalOptions) {
    // Its settings before and after; the shell itself goes on after a Ctrl-C.
    const command = `trap : INT; stty rows ${rows} cols ${columns}; echo "[tty $(tty)]"; echo "[before $(stty -g)]"; ${[program, ...args].map(quoted).join(" ")}; echo "[ended $?]"; echo "[after $(stty -g)]"`;
    this.#child = spawn("script", ["--quiet", "--flush", "--echo", "always", "--command", command, "/dev/null"], { cwd, env: { ...env, SHELL: "/bin/sh", TERM: "xterm" }, stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    this.#child.stdin!.on("error", () => {}); // the program may have ended
    this.#ended = new Promise((resolve) => this.#child.on("close", () => resolve()));
  }

  press(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  /** Waits for a text that is written from now on (or from `from` on). @returns what was written until then */
  async says(text: string | RegExp, { from = 0, timeout = 60_000 }: { from?: number; timeout?: number } = {}): Promise<string> {
    const said = () => stripVTControlCharacters(this.output.slice(from));
    await until(`the terminal shows ${text}`, () => (typeof text === "string" ? said().includes(text) : text.test(said())), timeout).catch((error: Error) => {
      throw new Error(`${error.message}; it shows:\n${said().slice(-3000)}`);
    });
    return said();
  }

  /** What the live view shows now: its last frame, which begins at the screen's top left. */
  screen(): string[] {
    return stripVTControlCharacters(this.output.slice(this.output.lastIndexOf("\x1b[H"))).split("\n").map((line) => line.replace(/\r$/, ""));
  }

  /** Waits until the live view shows it, in a frame from `from` on. */
  async shows(text: string | RegExp, { from = 0, timeout = 10_000 } = {}): Promise<string[]> {
    const there = () => this.output.lastIndexOf("\x1b[H") >= from && (typeof text === "string" ? this.screen().join("\n").includes(text) : text.test(this.screen().join("\n")));
    await until(`the view shows ${text}`, there, timeout).catch((error: Error) => {
      throw new Error(`${error.message}; it shows:\n${this.screen().join("\n")}`);
    });
    return this.screen();
  }

  /** Of the program, which the shell runs that script runs. */
  pid(): number {
    const childOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").at(-1));
    return childOf(childOf(this.#child.pid!));
  }

  /** As a window that is pulled to another size. */
  async resize(rows: number, columns: number): Promise<void> {
    await ok("stty", ["-F", this.#mark("tty")!, "rows", String(rows), "cols", String(columns)]);
  }

  /** Waits for the program's end. @returns its exit code, and whether the terminal is as it was */
  async ended(timeout = 120_000): Promise<{ code: number; sane: boolean }> {
    await this.says("[after ", { timeout });
    await this.#ended;
    const cursor = this.output.lastIndexOf("\x1b[?25h") >= this.output.lastIndexOf("\x1b[?25l");
    const mainScreen = this.output.lastIndexOf("\x1b[?1049l") >= this.output.lastIndexOf("\x1b[?1049h");
    const wraps = this.output.lastIndexOf("\x1b[?7h") >= this.output.lastIndexOf("\x1b[?7l");
    return { code: Number(this.#mark("ended")), sane: this.#mark("before") === this.#mark("after") && cursor && mainScreen && wraps };
  }

  /** As a window that is closed. */
  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #mark(name: string): string | undefined {
    return new RegExp(`\\[${name} ([^\\]]*)\\]`).exec(this.output)?.[1];
  }
}
