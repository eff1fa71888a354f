import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { appendChained, checkChain, START } from "../../cli/audit/chain.ts";
import { anchor, record } from "../../cli/audit/log.ts";
import { verify } from "../../cli/audit/verify.ts";

let root: string;
let file: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bottle-audit-"));
  vi.stubEnv("XDG_CONFIG_HOME", join(root, "config"));
  mkdirSync(join(root, "evidence/git-gate"), { recursive: true });
  file = join(root, "evidence/git-gate/pushes.jsonl");
  for (let number = 1; number <= 4; number++) appendChained(file, { number });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});
const lines = () => readFileSync(file, "utf8").split("\n").slice(0, -1);
const rewrite = (changed: readonly string[]) => writeFileSync(file, changed.map((line) => `${line}\n`).join(""));

describe("a chain", () => {
  it("is whole as written, from its start", () => {
    expect(JSON.parse(lines()[0]!)).toEqual({ number: 1, prev: START });
    expect(checkChain(file)).toMatchObject({ lines: 4, chained: true, fromStart: true, broken: [], odd: [] });
  });

  it.each([
    ["a changed line", (all: string[]) => all.map((line) => line.replace('"number":2', '"number":9')), 3],
    ["a line taken out", (all: string[]) => all.filter((_, index) => index !== 1), 2],
    ["a line put in", (all: string[]) => [all[0]!, '{"number":7}', ...all.slice(1)], 2],
    ["lines exchanged", (all: string[]) => [all[0]!, all[2]!, all[1]!, all[3]!], 2],
  ])("shows %s, and where", (_what, tamper, at) => {
    rewrite(tamper(lines()));
    expect(checkChain(file).broken[0]).toContain(`pushes.jsonl:${at}:`);
  });

  it("runs on over a rotation, and says where older lines were rotated away", () => {
    renameSync(file, `${file}.1`);
    const last = readFileSync(`${file}.1`, "utf8").trimEnd().split("\n").at(-1)!;
    appendChained(file, { number: 5 }); // starts anew: this writer knows no rotation
    expect(checkChain(file).broken).toHaveLength(1);
    rmSync(file);
    writeFileSync(file, "");
    rewrite([JSON.stringify({ number: 5, prev: checkChain(`${file}.1`).head })]);
    expect(last).toContain('"number":4');
    expect(checkChain(file)).toMatchObject({ lines: 5, broken: [] });
    rmSync(`${file}.1`);
    expect(checkChain(file)).toMatchObject({ fromStart: false, broken: [] });
    expect(checkChain(file).odd[0]).toContain("rotated away");
  });

  it("goes on after a torn line, which is named and no break", () => {
    appendFileSync(file, '{"half');
    appendChained(file, { number: 5 });
    const checked = checkChain(file);
    expect(checked.broken).toEqual([]);
    expect(checked.odd[0]).toContain("pushes.jsonl:5: is no whole JSON line");
  });
});

describe("audit verify", () => {
  it("finds a chain that was rewritten as a whole, by its anchor", () => {
    record(root, { kind: "approved", request: "r1" });
    expect(verify(root).map(({ verdict }) => verdict)).toEqual(["whole", "whole"]);
    rmSync(file);
    for (let number = 1; number <= 4; number++) appendChained(file, { number: number * 2 });
    expect(checkChain(file).broken).toEqual([]);
    const found = verify(root).find(({ file }) => file.endsWith("pushes.jsonl"))!;
    expect(found.verdict).toBe("broken");
    expect(found.findings[0]).toContain("rewritten or cut since");
  });

  it("finds a file that was cut at its end, and one that is gone", () => {
    anchor(root);
    rewrite(lines().slice(0, -1));
    expect(verify(root).find(({ file }) => file.endsWith("pushes.jsonl"))!.verdict).toBe("broken");
    rmSync(file);
    expect(verify(root).find(({ file }) => file.endsWith("pushes.jsonl"))!.verdict).toBe("missing");
  });

  it("cannot tell a rotated file from a rewritten one where no anchor is left, and says so", () => {
    anchor(root);
    rewrite([JSON.stringify({ number: 9, prev: "a".repeat(64) })]);
    const found = verify(root).find(({ file }) => file.endsWith("pushes.jsonl"))!;
    expect(found.verdict).toBe("whole");
    expect(found.findings.join()).toContain("nothing here can tell");
  });
});
