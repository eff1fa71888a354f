// The pack as a whole: what every policy says of itself, and that an untouched bottle passes all of them.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { policies } from "../../policies/policies.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { bottleArgs, type Config } from "../unit/fixtures.ts";
import { bottle, withoutEgress, withRoutes, type Recorded } from "../unit/recorded-bottle.ts";
import { findings, NOT_KNOWN, stackConfig, type Subject } from "./harness.ts";

const folder = join(projectRoot, "policies");
const groups = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !["lib", "node_modules"].includes(entry.name)).map(({ name }) => name);
const files = groups.flatMap((group) => readdirSync(join(folder, group)).map((file) => join(group, file)));

describe.each(policies.map((policy) => [policy.name, policy] as const))("%s", (name, policy) => {
  it("has a kebab-case name, a sentence, a severity and a level", () => {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)+$/);
    expect(policy.description).toMatch(/^[A-Z].*\.$/);
    expect(["low", "medium", "high", "critical"]).toContain(policy.severity);
    expect(["advisory", "mandatory"]).toContain(policy.enforcementLevel);
  });

  it("is the one constant of a file of its name", async () => {
    const file = files.find((each) => each.endsWith(`/${name}.ts`));
    const exported = (await import(join(folder, file!))) as Record<string, unknown>;
    const camelCase = name.replace(/-[a-z]/g, (letter) => letter[1]!.toUpperCase());
    expect(exported[camelCase]).toBe(policy);
    expect(Object.values(exported)).toEqual([policy]);
  });

  it("gives each setting a default and a description", () => {
    for (const [setting, schema] of Object.entries(policy.configSchema?.properties ?? {})) {
      expect(schema.default, setting).toBeDefined();
      expect(schema.description, setting).toMatch(/\.$/);
    }
  });

  it("is in docs/policies.md with its level, severity and settings", () => {
    const docs = readFileSync(join(projectRoot, "docs/policies.md"), "utf8");
    const row = docs.split("\n").find((line) => line.startsWith(`| \`${name}\` |`));
    expect(row).toContain(`| ${policy.enforcementLevel}, ${policy.severity} |`);
    for (const setting of Object.keys(policy.configSchema?.properties ?? {}).filter((each) => each !== "exceptServices")) expect(row).toContain(`\`${setting}\``);
  });
});

describe("the pack", () => {
  it("has every policy there is", () => {
    expect(policies.map(({ name }) => name).sort()).toEqual(files.map((file) => file.replace(/^.*\/|\.ts$/g, "")).sort());
  });

  it("is loaded by Node itself, from plain JavaScript", () => {
    expect(JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))).toMatchObject({ type: "module", main: "index.js", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    expect(parse(readFileSync(join(folder, "PulumiPolicy.yaml"), "utf8"))).toMatchObject({ runtime: "nodejs", main: "index.js" });
    expect(existsSync(join(folder, "index.js"))).toBe(true);
  });
});

describe.each<[string, Config]>([
  ["with routes", withRoutes],
  ["with supervise", { ...withRoutes, supervise: true }],
  ["without egress", withoutEgress],
  ["with Claude Code's own login", { agent: {} }],
  ["with a passed-through LLM", { network: { hosts: ["api.openai.com"] } }],
  ["with a git upstream", { images: { gitGate: `git-gate@sha256:${"0".repeat(64)}` }, git: { upstreams: [{ name: "repo", url: "https://git.example.com/org/repo.git", token: { variable: "GIT_TOKEN" }, push: { branches: ["agent/**"] } }] } }],
])("an untouched bottle %s", (_, config) => {
  it.each([["in its first preview", true], ["in an update", false]])("passes every policy %s", async (_when, preview) => {
    const subjects = subjectsOf(await bottle(bottleArgs(config), preview));
    stackConfig(Object.fromEntries(Object.entries(config).map(([key, value]) => [`bottle:${key}`, value])));
    for (const policy of policies) {
      const settings = policy.name === "no-secrets-pipelock-knows" ? { when: "never" } : {};
      const messages = await findings(policy, preview || policy.name !== "authority-certificates" ? subjects : [], settings);
      if (policy.enforcementLevel === "mandatory") expect(messages, policy.name).toEqual([]);
    }
  });
});

/** A bottle as it was recorded, as Pulumi would show it to policies; where its values come from, by its components' wiring. */
function subjectsOf(recorded: Recorded): Subject[] {
  const of = (kind: string) => recorded.all.filter(({ type }) => type.endsWith(kind)).map(({ urn }) => urn);
  const sourcesOf = (type: string, name: string): Record<string, string[]> => {
    if (!type.endsWith(":Command")) return {};
    if (name.endsWith("-ca-files")) return { stdin: [...of(":PrivateKey"), ...of(":SelfSignedCert")] };
    return name.endsWith("-trust") ? { stdin: of(":SelfSignedCert") } : {};
  };
  return recorded.all.map(({ urn, type, name, inputs, dependencies }) => ({
    type,
    name: urn,
    props: withNotKnown(inputs) as Record<string, unknown>,
    dependsOn: dependencies,
    from: sourcesOf(type, name),
  }));
}

/** The recorder's word for it becomes Pulumi's. */
function withNotKnown(value: unknown): unknown {
  if (value === "UNKNOWN") return NOT_KNOWN;
  if (Array.isArray(value)) return value.map(withNotKnown);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withNotKnown(inner)]));
}
