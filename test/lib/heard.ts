// What a child process prints, as it comes.
import type { ChildProcessByStdio } from "node:child_process";
import type { Readable } from "node:stream";

export class Heard {
  stdout = "";
  stderr = "";
  /** Both, in the order in which they came. */
  output = "";
  readonly #listeners = new Set<() => void>();

  constructor(child: ChildProcessByStdio<null, Readable, Readable>) {
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        this[name] += text;
        this.output += text;
        for (const listener of this.#listeners) listener();
      });
    }
  }

  /** Settles once a piece of text stands in the output; false if the child ended without it. */
  said(text: string, done: Promise<unknown>): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => void (this.output.includes(text) && (this.#listeners.delete(look), resolve(true)));
      this.#listeners.add(look);
      look();
      void done.then(() => resolve(this.output.includes(text)));
    });
  }
}
