// The containment suite's quick part, on bottles made by `pulumi up`: every attempt to get out of a bottle that breaks no
// sidecar. `npm run contain` makes all of them, and tells what it saw.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Result } from "../contain/attempt.ts";
import { allAttempts } from "../contain/index.ts";
import { contain, type Control } from "../contain/run.ts";
import { setUp, type Standing } from "../contain/setup.ts";
import { describeWith } from "../lib/parts.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "containment", () => {
  const attempts = allAttempts.filter(({ slow }) => !slow);
  const results = new Map<string, Result>();
  let standing: Standing | undefined;
  let controls: Control[] = [];

  beforeAll(async () => {
    standing = await setUp({ form: "pulumi" });
    const run = await contain(standing.lab, attempts);
    controls = run.controls;
    for (const result of run.results) results.set(result.attempt.id, result);
  });
  afterAll(() => standing?.remove());

  test("the bottles let through what they allow, before the attempts and after them: else everything would be held", () => {
    expect(controls.filter(({ ok }) => !ok)).toEqual([]);
    expect(controls.length).toBeGreaterThanOrEqual(14);
  });

  test.each(attempts)("$id: $what; must $must", ({ id }) => {
    const { verdict, seen } = results.get(id)!;
    expect(["held", "by design", "skipped"], `${verdict}: ${seen}`).toContain(verdict);
  });
});
