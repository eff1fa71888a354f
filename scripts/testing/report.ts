/** What a test runner counted. */
export interface Tally {
  passed: number;
  failed: number;
  /** Full names of the tests that were skipped. */
  skipped: string[];
}

/** The part of vitest's JSON report (Jest's format) that is read here. */
interface VitestReport {
  success: boolean;
  testResults: {
    name: string;
    status: string;
    message?: string;
    assertionResults: { fullName: string; status: string }[];
  }[];
}

/**
 * Counts vitest's JSON report. A file that cannot be loaded is one failure, and so is a fault outside any test
 * (`success` is false, but no test failed).
 */
export function tallyVitest(json: string): Tally {
  const report = JSON.parse(json) as VitestReport;
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const passed = tests.filter(({ status }) => status === "passed").length;
  const brokenFiles = report.testResults.filter((file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed")).length;
  const failed = tests.filter(({ status }) => status === "failed").length + brokenFiles;
  const skipped = tests.filter(({ status }) => status !== "passed" && status !== "failed").map(({ fullName }) => fullName);
  return { passed, failed: failed === 0 && !report.success && tests.length > 0 ? 1 : failed, skipped };
}

/** Counts pytest's JUnit report (`--junit-xml`). Errors in fixtures and collection are failures. */
export function tallyJUnit(xml: string): Tally {
  const cases = xml.match(/<testcase\b[^>]*?(?:\/>|>[\s\S]*?<\/testcase>)/g) ?? [];
  const tally: Tally = { passed: 0, failed: 0, skipped: [] };
  for (const each of cases) {
    // Output of the test itself may hold anything, these words too: only elements count.
    const body = each.replace(/<system-(out|err)>[\s\S]*?<\/system-\1>/g, "");
    if (/<(failure|error)\b/.test(body)) tally.failed++;
    else if (/<skipped\b/.test(body)) tally.skipped.push(`${attribute(each, "classname")} ${attribute(each, "name")} [${attribute(body, "message")}]`);
    else tally.passed++;
  }
  return tally;
}

function attribute(element: string, name: string): string {
  const text = new RegExp(`\\b${name}="([^"]*)"`).exec(element)?.[1] ?? "";
  return text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&#10;", " ").replaceAll("&amp;", "&");
}

/** One sum of several counts. */
export function sum(tallies: readonly Tally[]): Tally {
  return tallies.reduce(
    (all, each) => ({ passed: all.passed + each.passed, failed: all.failed + each.failed, skipped: [...all.skipped, ...each.skipped] }),
    { passed: 0, failed: 0, skipped: [] },
  );
}

/** The closing line, for people and CI. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
}
