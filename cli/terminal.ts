// What is written to the terminal. Texts of an agent are data: nothing in them may steer the terminal.
import { createInterface } from "node:readline/promises";
import { stripVTControlCharacters } from "node:util";
import Table from "cli-table3";
import { UserError } from "./user-error.ts";

/**
 * A text without control characters, bidirectional overrides and other invisible ones, on one line unless told.
 * https://www.unicode.org/reports/tr36/ (2.10) is on why the overrides go.
 */
export function plain(text: string, lines = false): string {
  const visible = stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/gu, (character) => (lines && (character === "\n" || character === "\t") ? character : " "));
  return lines ? visible : visible.replace(/\s+/g, " ").trim();
}

/** Every text in a value that an agent wrote, made plain. */
export function plainValue(value: unknown): unknown {
  if (typeof value === "string") return plain(value);
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, each]) => [plain(key), plainValue(each)]));
  return value;
}

/** Rows under a head, without lines. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const none = Object.fromEntries(["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right", "left", "left-mid", "mid", "mid-mid", "right", "right-mid"].map((key) => [key, ""]));
  const drawn = new Table({ chars: { ...none, middle: "  " }, style: { head: [], border: [], "padding-left": 0, "padding-right": 0 }, head: [...head] });
  drawn.push(...rows.map((row) => [...row]));
  return drawn.toString().replace(/[ ]+$/gm, "");
}

const colored = process.stdout.isTTY === true && !process.env["NO_COLOR"];
const paint = (code: string) => (text: string) => (colored ? `\x1b[${code}m${text}\x1b[0m` : text);
export const bold = paint("1");
export const red = paint("31");
export const green = paint("32");
export const dim = paint("2");

/** What goes on, beside the output proper. */
export const tell = (line: string): void => void process.stderr.write(`… ${line}\n`);

export const interactive = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true;

/** Asks a yes-or-no question; anything but yes is no. What was typed before the question stood there is no answer. */
export async function confirm(question: string): Promise<boolean> {
  await discardTyped();
  return /^y(es)?$/i.test(await ask(`${question} [y/N] `));
}

/** @throws UserError where there is no answer: Ctrl-C, Ctrl-D, a terminal that is gone */
export async function ask(question: string): Promise<string> {
  const line = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<never>((_, reject) => {
    for (const event of ["SIGINT", "close"]) line.once(event, () => reject(new Error(event)));
  });
  try {
    return (await Promise.race([line.question(question), ended])).trim();
  } catch {
    process.stderr.write("\n");
    throw new UserError("nothing was done", undefined, 130);
  } finally {
    line.close();
  }
}

async function discardTyped(): Promise<void> {
  const { stdin } = process;
  const discard = (): void => {};
  stdin.setRawMode(true).on("data", discard).resume();
  await new Promise((resolve) => setTimeout(resolve, 50));
  stdin.off("data", discard).pause().setRawMode(false);
}

/** 3 d, 4 h, 5 min, 6 s: the largest unit that fits. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds >= 172_800) return `${Math.floor(seconds / 86_400)} d`;
  if (seconds >= 7_200) return `${Math.floor(seconds / 3_600)} h`;
  if (seconds >= 120) return `${Math.floor(seconds / 60)} min`;
  return `${seconds} s`;
}
