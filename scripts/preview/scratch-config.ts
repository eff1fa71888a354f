// A stack's file as a machine without its secrets can read it. Pure.
import { basename } from "node:path";
import { parse, stringify } from "yaml";

/** What stands in for a secret: a preview needs to know that there is one, never its value. */
export const PLACEHOLDER = "placeholder-for-preview";

export interface ScratchConfig {
  /** YAML to follow the scratch stack's own salt. */
  readonly text: string;
  /** Paths, as `pulumi config set --path` takes them, of the secrets that were taken out. */
  readonly secrets: readonly string[];
  /** Pulumi's own top-level keys that were left out. */
  readonly dropped: readonly string[];
}

/** `Pulumi.reviewer.yaml` and `examples/reviewer.yaml` are both the stack `reviewer`. */
export function stackOf(file: string): string {
  return basename(file).replace(/^Pulumi\./, "").replace(/\.ya?ml$/, "");
}

/**
 * Takes out of a stack's file what belongs to its own backend: ciphertexts, salt, secrets provider, environments.
 *
 * @throws Error where the file is no YAML mapping.
 */
export function scratchConfig(text: string): ScratchConfig {
  const document = (parse(text) ?? {}) as unknown;
  if (!isMapping(document)) throw new Error("is no YAML mapping");
  const { config = {}, ...own } = document;
  if (!isMapping(config ?? {})) throw new Error("has a config that is no mapping");
  const secrets: string[] = [];
  const readable = Object.fromEntries(Object.entries((config ?? {}) as Mapping).map(([key, value]) => [key, withoutSecrets(value, key, secrets)]));
  return { text: stringify({ config: readable }), secrets, dropped: Object.keys(own).sort() };
}

type Mapping = Record<string, unknown>;

function withoutSecrets(value: unknown, path: string, secrets: string[]): unknown {
  if (Array.isArray(value)) return value.map((each, index) => withoutSecrets(each, `${path}[${index}]`, secrets));
  if (!isMapping(value)) return value;
  if (typeof value["secure"] === "string" && Object.keys(value).length === 1) {
    secrets.push(path);
    return PLACEHOLDER;
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutSecrets(each, `${path}${segment(key)}`, secrets)]));
}

function segment(key: string): string {
  return /^[A-Za-z_][\w-]*$/.test(key) ? `.${key}` : `["${key.replaceAll('"', '\\"')}"]`;
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
