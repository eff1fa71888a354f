// The update routine finds every version that is pinned outside of the files which it knows by itself.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CLAUDE_CODE_VERSION, PIPELOCK_IMAGE } from "../../components/manifest/schema.ts";
import { projectRoot } from "../../scripts/setup/project.ts";

interface Manager {
  description: string;
  managerFilePatterns: string[];
  matchStrings: string[];
}

const read = (file: string): string => readFileSync(join(projectRoot, file), "utf8");
const { customManagers } = JSON.parse(read(".github/renovate.json")) as { customManagers: Manager[] };
const files = globSync("{*,.github/**,components/**,docs/**,examples/**,policies/**,scripts/**,test/**}", { cwd: projectRoot, withFileTypes: true })
  .filter((entry) => entry.isFile() && !/node_modules|__pycache__/.test(entry.parentPath))
  .map((entry) => join(entry.parentPath, entry.name).slice(projectRoot.length + 1));

/** As Renovate reads them: /…/ is a regular expression, anything else a path. */
const filesOf = ({ managerFilePatterns }: Manager): string[] =>
  managerFilePatterns.flatMap((pattern) => {
    const expression = /^\/(.*)\/$/.exec(pattern)?.[1];
    return files.filter((file) => (expression === undefined ? file === pattern : new RegExp(expression).test(file)));
  });
const versions = (manager: Manager, text: string): string[] =>
  manager.matchStrings.flatMap((expression) => [...text.matchAll(new RegExp(expression, "g"))].map(({ groups }) => groups!["currentValue"]!));
const managerOf = (name: RegExp): Manager => customManagers.find(({ description }) => name.test(description))!;

describe.each(customManagers)("$description", (manager) => {
  it("finds one version, in every file that it names", () => {
    const named = manager.managerFilePatterns.filter((pattern) => !pattern.startsWith("/"));
    for (const file of named) expect(versions(manager, read(file)), file).not.toEqual([]);
    expect(new Set(filesOf(manager).flatMap((file) => versions(manager, read(file)))).size).toBe(1);
  });

  it("has no expression that finds nothing", () => {
    const text = filesOf(manager).map(read).join("\n");
    for (const expression of manager.matchStrings) expect(text).toMatch(new RegExp(expression));
  });
});

describe("no file is left out that would go stale", () => {
  it.each([
    ["pipelock", PIPELOCK_IMAGE, managerOf(/^pipelock/)],
    // Tests that give a version themselves need not follow; what repeats the default must.
    ["Claude Code", `"${CLAUDE_CODE_VERSION}"`, managerOf(/^Claude Code/)],
  ])("%s", (_, text, manager) => {
    const own = ["test/unit/agent-claude.test.ts", "test/engine/agent-provision.test.ts", "test/unit/renovate.test.ts"];
    const naming = files.filter((file) => !own.includes(file) && read(file).includes(text));
    expect(filesOf(manager)).toEqual(expect.arrayContaining(naming));
  });

  it("the CLI that Pulumi.yaml asks for is the one that package.json pins", () => {
    const { devDependencies } = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
    for (const file of ["Pulumi.yaml", "examples/team/Pulumi.yaml"]) expect(read(file)).toContain(`requiredPulumiVersion: ">=${devDependencies!["pulumi"]}"`);
  });
});
