// Reading files that others write: bounded, and absent is no error.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** The whole text; undefined where the file is not there, or has more bytes than `max`. */
export function readWhole(path: string, max: number): string | undefined {
  return readEnd(path, max, true);
}

/** At most `max` bytes from the end, from the first whole line on. */
export function readTail(path: string, max: number): string {
  return readEnd(path, max, false) ?? "";
}

function readEnd(path: string, max: number, whole: boolean): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const { size } = fstatSync(descriptor);
    if (whole && size > max) return undefined;
    const start = Math.max(0, size - max);
    const buffer = Buffer.alloc(size - start);
    const length = readSync(descriptor, buffer, 0, buffer.length, start);
    const text = buffer.toString("utf8", 0, length);
    return start === 0 ? text : text.slice(text.indexOf("\n") + 1);
  } finally {
    closeSync(descriptor);
  }
}
