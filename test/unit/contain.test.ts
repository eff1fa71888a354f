import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../../scripts/setup/project.ts";
import { classes, type Attempt, type Result, type Verdict } from "../contain/attempt.ts";
import { allAttempts } from "../contain/index.ts";
import { recordPath, renderMarkdown, scrub, sound, summary, type Report } from "../contain/report.ts";

const document = (name: string) => readFileSync(join(projectRoot, "docs", name), "utf8");
const ids = allAttempts.map(({ id }) => id);
const attempt = (id: string): Attempt => allAttempts.find((each) => each.id === id)!;
const result = (verdict: Verdict, id = "1.udp"): Result => ({ attempt: attempt(id), verdict, seen: "seen", took: 1 });
const good = { what: "a host answers", ok: true, seen: "200" };

describe("the containment suite", () => {
  it("has at least sixty attempts, of every class, each with a name of its own, an idea's source and a promise", () => {
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(60);
    for (const number of Object.keys(classes)) expect(ids.some((id) => id.startsWith(`${number}.`)), `class ${number}`).toBe(true);
    for (const each of allAttempts) {
      expect(each.id).toMatch(new RegExp(`^${each.class}\\.[a-z0-9-]+$`));
      for (const text of [each.what, each.must, each.source.name]) expect(text, each.id).not.toBe("");
      if (each.source.url !== undefined) expect(each.source.url).toMatch(/^https:\/\//);
    }
  });

  it("is recorded: docs/containment.md has just these attempts", () => {
    expect(existsSync(recordPath), "npm run contain -- --record").toBe(true);
    const recorded = [...new Set([...document("containment.md").matchAll(/^\| `(\d+\.[a-z0-9-]+)` \|/gm)].map(([, id]) => id))];
    expect(recorded.sort()).toEqual([...ids].sort());
  });

  it("is what docs/threat-model.md speaks of: every attempt, test and file there exists, every limit is told", () => {
    const text = document("threat-model.md");
    for (const [, id] of text.matchAll(/`(\d+\.[a-z0-9-]+)`/g)) expect(ids).toContain(id);
    for (const [, path] of text.matchAll(/`(test\/[\w/.-]+)`/g)) expect(existsSync(join(projectRoot, path!)), path).toBe(true);
    for (const { id, byDesign } of allAttempts) if (byDesign !== undefined) expect(text, `${id} is missing under "Known limits"`).toContain(`\`${id}\``);
  });
});

describe("a run", () => {
  const sure = (results: Result[], controls = [good]) => sound({ controls, results });

  it("is sound where all is held, by design or skipped", () => {
    expect(sure([result("held"), result("by design", "5.timing"), result("skipped")])).toBe(true);
  });

  it.each<Verdict>(["escaped", "broken"])("is not where one is %s", (verdict) => {
    expect(sure([result("held"), result(verdict)])).toBe(false);
  });

  it("is not where a bottle lets nothing through, or nothing was tried", () => {
    expect(sure([result("held")], [good, { ...good, ok: false }])).toBe(false);
    expect(sure([])).toBe(false);
  });

  it("is counted by class", () => {
    expect(summary([result("held"), result("escaped"), result("held", "2.apex")]).map(({ name, all, counts }) => [name, all, counts.held, counts.escaped])).toEqual([
      ["1 Around the proxy", 2, 1, 1],
      ["2 Names", 1, 1, 0],
      ["all", 3, 2, 1],
    ]);
  });

  it("is written without what differs from run to run, and so that no answer breaks its table", () => {
    expect(scrub("c0123456789abcdef01 at 10.1.2.3 in bottle-contain-0a1b2c3d of /tmp/bottle-x/y")).toBe("… at 10.x in bottle-… of /tmp/…");
    const report: Report = { made: "2026-11-25T00:00:00", form: "pulumi", runtime: "runc", machine: {}, controls: [good], results: [{ ...result("escaped"), seen: "a | b\n<script>" }], skippedParts: ["gVisor: none"] };
    expect(renderMarkdown([report])).toContain("| **escaped** | a \\| b &lt;script&gt; |");
  });

});
