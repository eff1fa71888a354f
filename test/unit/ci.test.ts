// What workflows may do, and that what docs/ci.md says is there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { projectRoot } from "../../scripts/setup/project.ts";

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}
interface Workflow {
  on: Record<string, unknown>;
  permissions: Record<string, string>;
  jobs: Record<string, { permissions?: Record<string, string>; "timeout-minutes"?: number; steps: Step[] }>;
}

const read = (file: string): string => readFileSync(join(projectRoot, file), "utf8");
const workflows = [".github/workflows", "examples/team/.github/workflows"].flatMap((folder) => readdirSync(join(projectRoot, folder)).map((name) => `${folder}/${name}`));

describe.each(workflows)("%s", (file) => {
  const text = read(file);
  const workflow = parse(text) as Workflow;
  const steps = Object.values(workflow.jobs).flatMap((job) => job.steps);

  it("takes actions of GitHub's own alone, by commit, with their version beside", () => {
    for (const line of text.split("\n").filter((each) => /\buses:/.test(each))) expect(line).toMatch(/uses: actions\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it("may read, and writes only where a release is published", () => {
    expect(workflow.permissions).toEqual({ contents: "read" });
    const wider = Object.entries(workflow.jobs).filter(([, { permissions }]) => permissions !== undefined).map(([name]) => name);
    expect(wider).toEqual(file.endsWith("/release.yml") ? ["publish"] : []);
  });

  it("gives a fork's pull request neither secret nor token", () => {
    expect(Object.keys(workflow.on)).not.toContain("pull_request_target");
    expect(text).not.toMatch(/\$\{\{[^}]*\bsecrets\b/);
    for (const step of steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"))) expect(step.with).toMatchObject({ "persist-credentials": false });
  });

  it("puts nothing that others write into a script", () => {
    for (const { run } of steps) expect(run ?? "").not.toContain("${{");
  });

  it("ends some time", () => {
    for (const job of Object.values(workflow.jobs)) expect(job["timeout-minutes"]).toBeLessThanOrEqual(120);
  });
});

it("the same action is at the same commit everywhere", () => {
  const used = new Set(workflows.flatMap((file) => [...read(file).matchAll(/uses: (\S+)/g)].map(([, action]) => action!)));
  const names = [...used].map((action) => action.split("@")[0]);
  expect(new Set(names).size).toBe(names.length);
});

describe("docs/ci.md", () => {
  it("shows the three lines that examples/team has", () => {
    expect(read("docs/ci.md")).toContain(`\`\`\`ts\n${read("examples/team/index.ts")}\`\`\``);
    expect(read("examples/team/index.ts").trim().split("\n")).toHaveLength(3);
  });

  it("names every workflow", () => {
    for (const file of readdirSync(join(projectRoot, ".github/workflows"))) expect(read("docs/ci.md")).toContain(`| \`${file}\` |`);
  });
});

it.each(["README.md", "SECURITY.md", "THIRD-PARTY.md", "docs/ci.md"])("%s links to files that are there", (file) => {
  const links = [...read(file).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path]) => path!);
  for (const link of links) expect(existsSync(join(projectRoot, dirname(file), link)), link).toBe(true);
});
