// docs/manifest.md against the schema and the program.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { editorSchema } from "../../scripts/editor-schema.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { BASE_IMAGE, DEFAULT_POOL, PIPELOCK_IMAGE, reservedVariables } from "../../components/manifest/schema.ts";
import { faultsOf } from "./fixtures.ts";

const text = readFileSync(join(projectRoot, "docs/manifest.md"), "utf8");
const readme = readFileSync(join(projectRoot, "README.md"), "utf8");

interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly string[];
}

/** Every key below one of the four that holds a value, as the reference writes it: without the parents that are lists. */
function keysOf(schema: Schema, prefix = ""): { key: string; values: readonly string[] }[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    if (name === "secure") return [];
    const key = `${prefix}${name}`;
    const parts = [inner.items, ...(inner.items?.anyOf ?? [])].filter((part) => part !== undefined);
    const own = inner.properties && name !== "secret" ? [] : [{ key, values: inner.enum ?? inner.items?.enum ?? [] }];
    return [...own, ...keysOf(inner, `${key}.`), ...parts.flatMap((part) => keysOf(part))];
  });
}
const top = ((editorSchema()["properties"] as Record<string, Schema>)["config"]!.properties ?? {}) as Record<string, Schema>;

describe("the reference", () => {
  it.each(Object.entries(top).flatMap(([name, schema]) => [{ key: name, values: [] as readonly string[] }, ...keysOf(schema)]))("names $key, and its values", ({ key, values }) => {
    for (const word of [key, ...values]) expect(text.includes(`\`${word}\``), word).toBe(true);
  });

  it("tells the defaults there are", () => {
    const words = [BASE_IMAGE, PIPELOCK_IMAGE, DEFAULT_POOL, ...[...reservedVariables].map((name) => name.toUpperCase())];
    for (const word of words) expect(text.includes(`\`${word}\``), word).toBe(true);
  });
});

const examples = [
  ["docs/manifest.md", text],
  ["README.md", readme],
] as const;

it.each(examples.flatMap(([file, content]) => [...content.matchAll(/```yaml\n([^]*?)```/g)].map((match, index) => [file, index + 1, match[1]!] as const)))("%s: example %i is a valid manifest", (_, __, yaml) => {
  const { config } = parse(yaml) as { config: Record<string, unknown> };
  expect(faultsOf(Object.fromEntries(Object.entries(config).map(([key, value]) => [key.replace(/^bottle:/, ""), value])))).toEqual([]);
});
