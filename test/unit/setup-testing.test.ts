import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SetupError } from "../../scripts/setup/part.ts";
import { closingLine, sum, tallyJUnit, tallyVitest } from "../../scripts/testing/report.ts";
import { testedImages } from "../../scripts/testing/images.ts";
import { lack, type Parts } from "../lib/parts.ts";

const file = (status: string, ...tests: [string, string][]) => ({
  name: "a.test.ts",
  status,
  assertionResults: tests.map(([fullName, status]) => ({ fullName, status })),
});
const report = (success: boolean, ...testResults: ReturnType<typeof file>[]) => JSON.stringify({ success, testResults });

describe("vitest's report", () => {
  test("passed, failed, and skipped by name, whichever word vitest has for it", () => {
    expect(tallyVitest(report(false, file("failed", ["a", "passed"], ["b", "failed"]), file("passed", ["c", "skipped"], ["d", "todo"], ["e", "pending"])))).toEqual({
      passed: 1, failed: 1, skipped: ["c", "d", "e"],
    });
  });

  test("a file that cannot be loaded is a failure", () => {
    expect(tallyVitest(report(false, file("failed"), file("passed", ["a", "passed"])))).toEqual({ passed: 1, failed: 1, skipped: [] });
  });

  test("so is a fault outside any test", () => {
    expect(tallyVitest(report(false, file("passed", ["a", "passed"]))).failed).toBe(1);
  });
});

describe("pytest's report", () => {
  test("counts cases, errors as failures, and is not misled by what a test printed", () => {
    const xml = `<?xml version="1.0"?><testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4">
<testcase classname="tests.test_a" name="test_one" time="0.1" />
<testcase classname="tests.test_a" name="test_two[&lt;x&gt;]"><system-out>&lt;failure&gt; <![CDATA[<failure/>]]></system-out></testcase>
<testcase classname="tests.test_a" name="test_three"><failure message="no">text</failure></testcase>
<testcase classname="tests.test_a" name="test_four"><error message="fixture">text</error></testcase>
<testcase classname="tests.test_b" name="test_five"><skipped type="pytest.skip" message="no IPv6 here">x</skipped></testcase>
</testsuite></testsuites>`;
    expect(tallyJUnit(xml)).toEqual({ passed: 2, failed: 2, skipped: ["tests.test_b test_five [no IPv6 here]"] });
  });

  test("an empty report counts nothing", () => {
    expect(tallyJUnit('<testsuites><testsuite tests="0"/></testsuites>')).toEqual({ passed: 0, failed: 0, skipped: [] });
  });
});

test("the closing line", () => {
  const all = sum([{ passed: 3, failed: 0, skipped: ["x"] }, { passed: 4, failed: 1, skipped: [] }]);
  expect(closingLine(all)).toBe("7 passed, 1 failed, 1 skipped");
});

test("images with a test stage, and no others", () => {
  const folder = mkdtempSync(join(tmpdir(), "bt-images-"));
  const write = (name: string, text: string) => {
    mkdirSync(join(folder, name, "image"), { recursive: true });
    writeFileSync(join(folder, name, "image/Dockerfile"), text);
  };
  write("with", "ARG BASE\nFROM ${BASE} AS build\nfrom build as test\nRUN true\n");
  write("without", "FROM x AS tested\n# FROM x AS test\n");
  mkdirSync(join(folder, "none"));
  expect(testedImages(folder)).toEqual(["with"]);
  rmSync(folder, { recursive: true });
});

describe("a missing part", () => {
  const have: Parts = { engine: "no engine answers", base: "no engine answers", pipelock: true, pulumi: true, terminal: true };

  test("is named once, where a test needs it", () => {
    expect(lack(["engine", "base", "pulumi"], have)).toBe("no engine answers");
    expect(lack(["pipelock", "pulumi"], have)).toBeUndefined();
  });

  test("of set-up names the part, what was tried and the mend", () => {
    expect(new SetupError("base image", { problem: "no\nwhere", tried: "docker pull x", mend: "load it" }).message).toBe(
      "base image: no\n         where\n  tried: docker pull x\n  mend:  load it",
    );
  });
});
