// What one attempt to get out of a bottle is, and what became of it. Types only.
import type { Lab } from "./lab.ts";
import type { Source } from "./sources.ts";

/** DESIGN.md's ten classes of escape. */
export const classes = {
  1: "Around the proxy",
  2: "Names",
  3: "Disagreement",
  4: "Paths and methods",
  5: "Data",
  6: "Credentials",
  7: "Git",
  8: "Sidecars and container",
  9: "Approval",
  10: "Life cycle",
} as const;
export type Class = keyof typeof classes;

/** What an attempt saw. `held`: the bottle did what it promises. */
export interface Seen {
  readonly held: boolean;
  /** One line for the report. */
  readonly seen: string;
}

/** Thrown by an attempt that this machine, or this form of the bottle, cannot make. */
export class Skip extends Error {}

export interface Attempt {
  /** `<class>.<name>`, stable: documents and tests point at it. */
  readonly id: string;
  readonly class: Class;
  /** What the agent does. */
  readonly what: string;
  readonly source: Source;
  /** What the bottle must do about it. */
  readonly must: string;
  /** Why this is not stopped, where it is not: then getting through is no hole. */
  readonly byDesign?: string;
  /** Nothing else runs meanwhile: it breaks something, or counts something. */
  readonly alone?: boolean;
  /** Made after all others: it takes the bottle away. */
  readonly last?: boolean;
  /** Left out of a quick run: it takes long, or breaks a sidecar. */
  readonly slow?: boolean;
  /**
   * Makes the attempt.
   *
   * @param marker text that no other attempt has. Whoever sees it outside afterwards has been reached: the runner
   *   looks by itself, whatever the attempt says.
   * @throws Skip
   */
  readonly try: (lab: Lab, marker: string) => Promise<Seen>;
}

/** `broken`: the attempt itself failed, which proves nothing. */
export type Verdict = "held" | "escaped" | "by design" | "skipped" | "broken";

export interface Result {
  readonly attempt: Attempt;
  readonly verdict: Verdict;
  readonly seen: string;
  /** Milliseconds. */
  readonly took: number;
}

export const held = (seen: string): Seen => ({ held: true, seen });
export const escaped = (seen: string): Seen => ({ held: false, seen });
