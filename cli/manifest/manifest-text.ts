// What a manifest's text says, read as Pulumi reads it. Pure.
import { parseDocument, type Document } from "yaml";
import { configValue } from "../../components/manifest/manifest.ts";

/** The `bottle:` keys; a Pulumi secret is only a placeholder here. */
export function configOf(document: Document): Record<string, unknown> {
  const { config } = (document.toJSON() ?? {}) as { config?: Record<string, unknown> | null };
  const own = Object.entries(config ?? {}).filter(([key]) => key.startsWith("bottle:"));
  return Object.fromEntries(own.map(([key, value]) => [key.slice("bottle:".length), typeof value === "string" ? configValue(value) : withoutSecrets(value)]));
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]![0] === "secure") return "a secret";
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutSecrets(each)]));
}

/** Ends of grants that are past: `up` leaves those entries out of the sidecars' rules. */
export function endedGrants(text: string, now = Date.now()): string[] {
  const { network } = configOf(parseDocument(text)) as { network?: { hosts?: unknown[]; routes?: unknown[] } };
  return [...(network?.hosts ?? []), ...(network?.routes ?? [])].flatMap((entry) => {
    const { host, expires } = (typeof entry === "object" ? entry : {}) as { host?: string; expires?: string };
    return expires !== undefined && Date.parse(expires) <= now ? [`${host} (ended ${expires})`] : [];
  });
}
