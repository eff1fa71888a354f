// Work that must not end in the middle: signals that would end the process are told to it instead.
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Milliseconds within which signals are one: npm and a closing terminal send the same one twice. */
const SAME = 500;

const ignore = (): void => {};

/** The human, or the system, wants an end. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`was interrupted (${signal})`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

export class Interrupts {
  #count = 0;
  #last = 0;
  #signal: NodeJS.Signals | undefined;
  readonly #listeners = new Set<(count: number) => void>();

  /** Runs `work` with signals kept from ending the process. */
  static async during<T>(work: (interrupts: Interrupts) => Promise<T>): Promise<T> {
    const interrupts = new Interrupts();
    const onSignal = (signal: NodeJS.Signals): void => interrupts.#take(signal);
    for (const signal of SIGNALS) process.on(signal, onSignal);
    // A closed terminal, or pipe, is no reason to stop either; what is still to be written there later is lost as well.
    for (const stream of [process.stdout, process.stderr]) stream.off("error", ignore).on("error", ignore);
    try {
      return await work(interrupts);
    } finally {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    }
  }

  get count(): number {
    return this.#count;
  }

  /** Calls `listener` with how many there were at each one. @returns what ends that */
  listen(listener: (count: number) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The last one. */
  get interrupted(): Interrupted | undefined {
    return this.#signal && new Interrupted(this.#signal);
  }

  /** @throws Interrupted where there was one. */
  check(): void {
    if (this.interrupted) throw this.interrupted;
  }

  /** @throws Interrupted where there was one more after the first: then nothing more is begun. */
  checkAgain(): void {
    if (this.#count > 1) this.check();
  }

  /** What `work` gives. @throws Interrupted, without waiting for it, once there is one */
  async over<T>(work: Promise<T>): Promise<T> {
    let end = (): void => {};
    const interrupted = new Promise<void>((resolve) => (end = this.listen(() => resolve())));
    try {
      this.check();
      await Promise.race([work, interrupted]);
      this.check();
      return await work;
    } finally {
      end();
    }
  }

  #take(signal: NodeJS.Signals): void {
    if (Date.now() - this.#last < SAME) return;
    this.#last = Date.now();
    this.#signal = signal;
    this.#count++;
    for (const listener of [...this.#listeners]) listener(this.#count);
  }
}
