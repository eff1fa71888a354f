/**
 * The numbers of the first version in a text: "v2.40.3+ds1-0+b1" → [2, 40, 3], Debian's
 * "5:28.5.2-1~debian" → [28, 5, 2] (the epoch before a colon is no part of upstream's version).
 * Empty if there is none.
 */
export function parseVersion(text: string): number[] {
  const match = /(?:^|[^\d.:])(?:\d+:)?(\d+(?:\.\d+)*)/.exec(` ${text}`);
  return match ? match[1]!.split(".").map(Number) : [];
}

/** Whether a version is at least another, number by number; a text without a version never is. */
export function atLeast(version: string, minimum: string): boolean {
  const [have, want] = [parseVersion(version), parseVersion(minimum)];
  if (have.length === 0) return false;
  for (let i = 0; i < want.length; i++) {
    const difference = (have[i] ?? 0) - want[i]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** "28.5.2+dfsg1" → "28.5.2", for people to read. */
export function shortVersion(text: string): string {
  return parseVersion(text).join(".") || text.trim();
}
