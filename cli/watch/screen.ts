// The terminal while a live view has it: keys one by one, another screen, no cursor, and all of that taken back
// however it ends. Sequences: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
import { constants } from "node:os";
import { emitKeypressEvents } from "node:readline";

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const END_OF_LINE = "\x1b[K";
const END_OF_SCREEN = "\x1b[J";
const BELL = "\x07";

const ignore = (): void => {};
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class Screen {
  #drawn = "";

  /**
   * Takes the terminal until `onKey` gives something.
   *
   * @param draw called at once, with each second, and when the window's size changes
   * @param onKey undefined: go on; null: nothing was said, since the terminal is gone
   */
  async keys<T>(draw: () => void, onKey: (name: string) => T | undefined): Promise<T | null> {
    const { stdin, stdout } = process;
    emitKeypressEvents(stdin);
    stdout.write(ENTER);
    stdin.setRawMode(true).resume();
    this.#drawn = "";
    const leave = (): void => {
      if (stdin.isTTY) stdin.setRawMode(false);
      stdout.write(LEAVE);
    };
    const onSignal = (signal: NodeJS.Signals): void => process.exit(128 + constants.signals[signal]);
    // A terminal that is gone takes nothing more, and that is all.
    for (const stream of [stdin, stdout]) stream.on("error", ignore);
    process.once("exit", leave);
    for (const signal of SIGNALS) process.on(signal, onSignal);
    const timer = setInterval(draw, 1_000);
    stdout.on("resize", draw);
    let stop = (): void => {};
    try {
      draw();
      return await new Promise<T | null>((resolve, reject) => {
        const pressed = (_text: string | undefined, { name = "", ctrl, sequence }: { name?: string; ctrl?: boolean; sequence?: string }): void => {
          try {
            const answer = onKey(ctrl ? `ctrl-${name}` : name || (sequence ?? ""));
            if (answer !== undefined) resolve(answer);
            else draw();
          } catch (error) {
            reject(error as Error);
          }
        };
        const gone = (): void => resolve(null);
        stdin.on("keypress", pressed).once("end", gone).once("error", gone);
        stop = () => void stdin.off("keypress", pressed).off("end", gone).off("error", gone);
      });
    } finally {
      stop();
      stdin.pause();
      clearInterval(timer);
      stdout.off("resize", draw);
      for (const signal of SIGNALS) process.off(signal, onSignal);
      process.off("exit", leave);
      leave();
      for (const stream of [stdin, stdout]) stream.off("error", ignore);
    }
  }

  /** Over what is there, line by line, and only where something else is to be seen: it never flickers. */
  show(lines: readonly string[]): void {
    const frame = `${HOME}${lines.map((line) => `${line}${END_OF_LINE}`).join("\n")}${END_OF_SCREEN}`;
    if (frame === this.#drawn) return;
    this.#drawn = frame;
    process.stdout.write(frame);
  }

  ring(): void {
    process.stdout.write(BELL);
  }
}
