// Files of JSON lines, each with the SHA-256 of the line before it as `prev`, over rotations: writing and checking.
import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** `prev` of a chain's very first line. */
export const START = "0".repeat(64);

export const hashOf = (line: string | Buffer): string => createHash("sha256").update(line).digest("hex");

/** Appends a record, chained to the last line; returns the line's hash. One writer at a time. */
export function appendChained(file: string, record: object): string {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, "a+", 0o600);
  try {
    const before = fstatSync(descriptor).size === 0 ? Buffer.alloc(0) : readFileSync(file);
    // Killed while writing: what is there becomes a line of its own.
    const torn = before.length > 0 && before.at(-1) !== 0x0a;
    const lines = splitLines(before);
    const line = JSON.stringify({ ...record, prev: lines.length === 0 ? START : hashOf(lines.at(-1)!) });
    writeSync(descriptor, `${torn ? "\n" : ""}${line}\n`);
    return hashOf(line);
  } finally {
    closeSync(descriptor);
  }
}

/** A file and its rotations, oldest first. */
export function rotations(file: string): string[] {
  const older: string[] = [];
  for (let number = 1; existsSync(`${file}.${number}`); number++) older.unshift(`${file}.${number}`);
  return existsSync(file) ? [...older, file] : older;
}

export interface Checked {
  /** Lines in all. */
  readonly lines: number;
  /** Whether any line is chained. */
  readonly chained: boolean;
  /** Hash of the last line. */
  readonly head?: string;
  /** Hashes of all lines. */
  readonly hashes: ReadonlySet<string>;
  /** Whether the first line kept begins the chain. */
  readonly fromStart: boolean;
  /** What does not fit, with file and line. */
  readonly broken: readonly string[];
  /** What is odd, and no proof of tampering. */
  readonly odd: readonly string[];
}

/** Checks a file with its rotations. */
export function checkChain(file: string): Checked {
  const broken: string[] = [];
  const odd: string[] = [];
  const hashes = new Set<string>();
  let previous: string | undefined;
  let chained = false;
  let fromStart = true;
  let lines = 0;
  for (const path of rotations(file)) {
    const bytes = readFileSync(path);
    const all = splitLines(bytes);
    all.forEach((line, index) => {
      lines++;
      const at = `${path}:${index + 1}`;
      const prev = prevOf(line);
      if (prev === undefined) {
        if (chained && isJson(line)) broken.push(`${at}: has no prev, while lines before it have`);
        else if (!isJson(line)) odd.push(`${at}: is no whole JSON line; its writer was stopped while writing, or it was cut`);
        else if (index === 0 && previous === undefined) fromStart = false;
      } else {
        const begins = previous === undefined;
        if (begins && prev !== START) {
          fromStart = false;
          odd.push(`${at}: the chain begins after lines that were rotated away; they cannot be checked`);
        }
        if (!begins && prev !== previous && (chained || prev !== START)) broken.push(`${at}: prev is not the hash of the line before it: a line was changed, taken out or put in here`);
        chained = true;
      }
      previous = hashOf(line);
      hashes.add(previous);
    });
    if (bytes.length > 0 && bytes.at(-1) !== 0x0a) odd.push(`${path}: does not end with a whole line`);
  }
  return { lines, chained, head: previous, hashes, fromStart, broken, odd };
}

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0x0a, from);
    lines.push(bytes.subarray(from, end < 0 ? bytes.length : end));
    from = end < 0 ? bytes.length : end + 1;
  }
  return lines;
}

function prevOf(line: Buffer): string | undefined {
  try {
    const { prev } = JSON.parse(line.toString()) as { prev?: unknown };
    return typeof prev === "string" && /^[0-9a-f]{64}$/.test(prev) ? prev : undefined;
  } catch {
    return undefined;
  }
}

function isJson(line: Buffer): boolean {
  try {
    JSON.parse(line.toString());
    return true;
  } catch {
    return false;
  }
}
