// What is measured, and how it stands beside its target. Pure.

/** Units in which figures are kept; `report.ts` writes them out. */
export type Unit = "s" | "ms" | "MiB" | "MB/s" | "req/s" | "count";

/** What a figure should reach. */
export interface Target {
  /** The bound, in the figure's unit. */
  readonly bound: number;
  /** Whether the bound is the most or the least that will do. */
  readonly sense: "at most" | "at least";
  /** Where it comes from, for people: "bare + 5 s". */
  readonly from: string;
}

/** One row of a table. */
export interface Figure {
  readonly what: string;
  readonly unit: Unit;
  /** undefined: could not be measured; `note` says why. */
  readonly value: number | undefined;
  /** The same by other means in the same run: bare Compose, a direct connection. */
  readonly beside?: { readonly name: string; readonly value: number };
  readonly target?: Target;
  readonly note?: string;
  /** Every sample, in the figure's unit. */
  readonly samples?: readonly number[];
}

export type Verdict = "reached" | "missed" | "not measured" | "";

/** A section of the report. */
export interface Table {
  readonly title: string;
  readonly remarks: readonly string[];
  readonly figures: readonly Figure[];
}

export function verdict({ value, target }: Figure): Verdict {
  if (value === undefined) return "not measured";
  if (target === undefined) return "";
  return (target.sense === "at most" ? value <= target.bound : value >= target.bound) ? "reached" : "missed";
}

/** The value below which a share of the samples lies (nearest rank). @throws Error where there are none */
export function quantile(samples: readonly number[], share: number): number {
  if (samples.length === 0) throw new Error("no samples to take a quantile of");
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!;
}

/** The middle one; of an even number of samples, the mean of the two in the middle. @throws Error where there are none */
export function median(samples: readonly number[]): number {
  if (samples.length === 0) throw new Error("no samples to take a median of");
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
