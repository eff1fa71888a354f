// The JSON Schema that editors read, made from the manifest's own zod schema.
import { z } from "zod";
import { manifestSchema } from "../components/manifest/schema.ts";

/** Its file, relative to the repo's root; the manifests' first line names it. */
export const SCHEMA_FILE = "bottle.schema.json";

type JsonSchema = Record<string, unknown>;

/**
 * Validates a whole Pulumi.<stack>.yaml: the `bottle:` keys under `config`; Pulumi's own keys and
 * other packages' configuration are left free. Draft 7, which every editor knows. What a value must
 * look like beyond its type (hosts, globs, ranges) is checked by `pulumi preview` alone.
 */
export function editorSchema(): JsonSchema {
  const { properties } = z.toJSONSchema(manifestSchema, { io: "input", target: "draft-7", override: simplify }) as { properties: Record<string, JsonSchema> };
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Manifest of a bottle (Pulumi.<stack>.yaml)",
    type: "object",
    properties: {
      config: {
        type: "object",
        properties: Object.fromEntries(Object.entries(properties).map(([key, schema]) => [`bottle:${key}`, { ...schema, ...descriptions[key] }])),
        // A key of ours that is none is a slip; aws:region and the like are not ours.
        patternProperties: { [`^bottle:(?!(${Object.keys(properties).join("|")})$)`]: false },
      },
    },
  };
}

const descriptions: Record<string, { description: string }> = {
  agent: { description: "The agent's image, workspace, prompt, skills, environment and limits." },
  network: { description: "What the agent may reach, and with which credentials (put on outside the agent)." },
  git: { description: "Git upstreams that the agent reaches through git-gate, which scans what it pushes." },
  supervise: { description: "Whether the agent may ask for access while it runs; a human on the host decides." },
  trust: { description: "Extra CA files that the sidecars trust upstream." },
  images: { description: "The base image and the sidecars' images." },
};

function simplify({ jsonSchema, path }: { jsonSchema: JsonSchema; path: (string | number)[] }): void {
  // Pulumi writes a secret as {secure: ciphertext}; in plain text it is refused.
  if (path.at(-1) === "secret" && path.at(-2) === "properties") {
    Object.assign(jsonSchema, { type: "object", properties: { secure: { type: "string" } }, required: ["secure"], additionalProperties: false });
    delete jsonSchema["minLength"];
  }
  if (Math.abs(Number(jsonSchema["minimum"])) === Number.MAX_SAFE_INTEGER) delete jsonSchema["minimum"];
  if (jsonSchema["maximum"] === Number.MAX_SAFE_INTEGER) delete jsonSchema["maximum"];
}
