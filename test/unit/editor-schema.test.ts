import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { readManifest } from "../../components/manifest/manifest.ts";
import { editorSchema, SCHEMA_FILE } from "../../scripts/editor-schema.ts";
import { projectRoot } from "../../scripts/setup/project.ts";

const examples = readdirSync(join(projectRoot, "examples")).filter((name) => name.endsWith(".yaml"));
const validator = z.fromJSONSchema(editorSchema() as Parameters<typeof z.fromJSONSchema>[0]);
const accepts = (document: unknown) => validator.safeParse(document).success;
const config = (value: object) => ({ config: value });

it(`${SCHEMA_FILE} is up to date; else: npm run schema`, () => {
  expect(JSON.parse(readFileSync(join(projectRoot, SCHEMA_FILE), "utf8"))).toEqual(editorSchema());
});

describe("the schema takes", () => {
  it.each<[string, unknown]>([
    ["an empty stack file", {}],
    ["a smallest manifest", config({ "bottle:agent": {} })],
    ["Pulumi's own keys and other packages' configuration", { encryptionsalt: "v1:x", secretsprovider: "passphrase", environment: ["e"], config: { "aws:region": "eu-west-1", "bottle:agent": {} } }],
    ["hosts as text and in full", config({ "bottle:network": { hosts: ["a.example.com", { host: "b.example.com", inspect: false }] } })],
    ["a secret as Pulumi writes it", config({ "bottle:network": { routes: [{ host: "a.example.com", auth: { secret: { secure: "v1:x" } } }] } })],
  ])("%s", (_, document) => {
    expect(accepts(document)).toBe(true);
  });
});

describe("the schema refuses", () => {
  it.each<[string, unknown]>([
    ["an unknown key of ours", config({ "bottle:agnt": {} })],
    ["an unknown key in a route", config({ "bottle:network": { routes: [{ host: "a.example.com", metods: ["GET"] }] } })],
    ["a wrong type", config({ "bottle:agent": { limits: { pids: "many" } } })],
    ["a value that is none of those there are", config({ "bottle:agent": { workspace: { mode: "move" } } })],
    ["a route without a host", config({ "bottle:network": { routes: [{}] } })],
    ["a secret in plain text", config({ "bottle:network": { routes: [{ host: "a.example.com", auth: { secret: "s3cret" } }] } })],
  ])("%s", (_, document) => {
    expect(accepts(document)).toBe(false);
  });
});

describe.each(examples)("examples/%s", (name) => {
  const text = readFileSync(join(projectRoot, "examples", name), "utf8");
  const document = parse(text) as { config: Record<string, unknown> };

  it("is accepted, by the schema and by the program", () => {
    expect(validator.safeParse(document)).toMatchObject({ success: true });
    readManifest(Object.fromEntries(Object.entries(document.config).map(([key, value]) => [key.replace(/^bottle:/, ""), value])), () => false);
  });

  it("names the schema as its copy in the repo's root sees it", () => {
    expect(text.split("\n")[0]).toBe(`# yaml-language-server: $schema=./${SCHEMA_FILE}`);
  });

  it("holds no machine's salt and no secret", () => {
    expect(Object.keys(document)).toEqual(["config"]);
    expect(text).not.toMatch(/secure:/);
  });
});
