// The live view as lines of text. Pure.
import { bold, dim, plain, span } from "../terminal.ts";
import type { Entry } from "../requests/read.ts";
import type { Change } from "../requests/request.ts";
import { inShort } from "../requests/words.ts";

/** The longest that fits. */
const KEYS = ["up/down choose   s show   a approve   e edit and approve   r reject   q quit", "s show  a approve  e edit  r reject  q quit", "s a e r q"];

export interface Shown {
  readonly project: string;
  /** Those that are watched. */
  readonly stacks: readonly string[];
  readonly entries: readonly Entry[];
  /** Index of the chosen one. */
  readonly at: number;
  /** What has just happened, for one line. */
  readonly note: string;
  readonly columns: number;
  readonly rows: number;
  readonly now: number;
}

/** At most `rows` lines of at most `columns` characters, from the top; the chosen one is always among them. */
export function viewLines({ project, stacks, entries, at, note, columns, rows, now }: Shown): string[] {
  const widest = Math.max(...entries.map(({ stack }) => stack.length), 0);
  const fit = (line: string): string => clipped(line, columns);
  const title = bold(fit(`${entries.length === 0 ? "No request waits" : `Request ${at + 1} of ${entries.length}`}   bottles of ${plain(project)}: ${stacks.map((stack) => plain(stack)).join(", ") || "none"}`));
  if (rows < 2) return [entries.length === 0 ? title : bold(fit(row(entries[at]!, true, widest, now)))];
  // Title and list; where there is room the note, the keys and blank lines between.
  const rest = rows >= 4 ? [dim(fit(KEYS.find((keys) => keys.length <= columns) ?? ""))] : [];
  const about = rows >= 3 ? [fit(note)] : [];
  const gap = rows >= 8 ? [""] : [];
  const room = rows - 1 - rest.length - about.length - 2 * gap.length;
  const first = Math.max(0, Math.min(at - Math.floor(room / 2), entries.length - room));
  const list = entries.slice(first, first + room).map((entry, index) => {
    const chosen = first + index === at;
    const line = fit(row(entry, chosen, widest, now));
    return chosen ? bold(line) : line;
  });
  return [title, ...gap, ...list, ...gap, ...about, ...rest];
}

function row(entry: Entry, chosen: boolean, widest: number, now: number): string {
  const { id, stack, request, malformed } = entry;
  const what = request ? `${request.kind} ${inShort(request as Change)}  ${plain(request.why)}` : `malformed: ${plain(malformed ?? "")}`;
  return `${chosen ? ">" : " "} ${id}  ${plain(stack).padEnd(widest)}  ${(request ? span(now - Date.parse(request.created_at)) : "").padEnd(6)} ${what}`;
}

/** By code points; wider ones are cut off by the terminal, which does not wrap here. */
function clipped(line: string, columns: number): string {
  const points = [...line];
  return points.length <= columns ? line : `${points.slice(0, columns - 1).join("")}…`;
}
