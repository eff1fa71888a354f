import { describe, expect, it } from "vitest";
import type { Entry } from "../../cli/requests/read.ts";
import { viewLines, type Shown } from "../../cli/watch/view.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const entry = (number: number, why = "needed"): Entry => {
  const id = `ra${String.fromCharCode(97 + (number % 26))}aaaaa`.slice(0, 7) + String.fromCharCode(97 + Math.floor(number / 26));
  const request = { format: 1, id, created_at: "2026-01-01T11:59:00Z", expires_at: "2026-01-02T00:00:00Z", kind: "host", change: { host: `host-${number}.example.com` }, why, for_seconds: null } as const;
  return { stack: number % 2 ? "reviewer" : "a", root: "", id, hash: "", state: "open", request: request as Entry["request"] };
};
const many = Array.from({ length: 50 }, (_, number) => entry(number));
const view = (shown: Partial<Shown>) => viewLines({ project: "team", stacks: ["a", "reviewer"], entries: many, at: 0, note: "", columns: 100, rows: 24, now, ...shown });

describe("the live view", () => {
  it("says what it watches, and that nothing waits", () => {
    expect(view({ entries: [] })[0]).toBe("No request waits   bottles of team: a, reviewer");
    expect(view({})[0]).toBe("Request 1 of 50   bottles of team: a, reviewer");
  });

  it.each([1, 2, 3, 4, 7, 8, 24, 100])("fits a window of %i rows, with the chosen request in it, wherever it is", (rows) => {
    for (const at of [0, 1, 24, 48, 49]) {
      const lines = view({ at, rows });
      expect(lines.length).toBeLessThanOrEqual(rows);
      expect(lines.filter((line) => line.startsWith(">"))).toEqual([expect.stringContaining(`host-${at}.example.com`)]);
    }
  });

  it.each([1, 10, 40, 80])("fits a window of %i columns", (columns) => {
    for (const line of view({ columns, note: "a note that is longer than many a window is wide, by far" })) expect([...line].length).toBeLessThanOrEqual(columns);
  });

  it("scrolls only where the list is longer than its room", () => {
    expect(view({ entries: many.slice(0, 3), at: 2, rows: 24 }).filter((line) => line.includes("host-"))).toHaveLength(3);
    expect(view({ at: 25, rows: 12 }).filter((line) => line.includes("host-"))).toHaveLength(7);
  });

  it("is inert, whatever an agent writes", () => {
    const evil = { ...entry(1, "\u001b]0;title\u0007\u001b[2J\u202eright\nnext\u0085line\u009b1m"), malformed: undefined };
    const malformed: Entry = { stack: "a", root: "", id: "raaaaaaa", hash: "", state: "malformed", malformed: "\u001b[31mred\r\u0008" };
    expect(view({ entries: [evil, malformed] }).join("")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});
