// What an agent asks for and what a human answers: the files that supervise and the host's CLI
// exchange. Both sides validate with this; the manifest's own schema says what a change may be. Pure.
import { z } from "zod";
import { push, upstream } from "../manifest/git-schema.ts";
import { ManifestError, readManifest } from "../manifest/manifest.ts";
import { allowedHost, auth, route } from "../manifest/schema.ts";
import { instant, matching, variable } from "../manifest/texts.ts";
import { describe } from "../manifest/describe.ts";
import { object } from "../manifest/strict-object.ts";

/** Version of both files' format. */
export const FORMAT = 1;
/** A request's or an answer's file; nobody reads further. */
export const FILE_MAX = 64 * 1024;
/** Of a change as JSON, of its reason in characters. */
export const CHANGE_MAX = 8 * 1024;
export const WHY_MAX = 1000;
/** How long a temporary grant may last, in seconds. */
export const FOR_SECONDS = { min: 60, max: 90 * 24 * 3600 } as const;

export const ID = /^r[a-z2-7]{7}$/;

/** One paragraph: control characters and those that turn text around could deceive who reads it on a terminal. */
const paragraph = z
  .string()
  .min(1)
  .max(WHY_MAX)
  .check((context) => {
    if (/[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/u.test(context.value)) {
      context.issues.push({ code: "custom", input: "", message: "holds line breaks or control characters; write one paragraph of plain text" });
    }
  });

const upstreamName = upstream.shape.name.unwrap();

/** A token by the name of its variable; never a secret. */
const authByName = object({ variable, scheme: auth.shape.scheme, header: auth.shape.header, username: auth.shape.username });

/** A change by kind, as strict as the manifest: what a request may not say is no key here. */
export const changeSchemas = {
  host: allowedHost.pick({ host: true, inspect: true }),
  route: object({ ...route.pick({ host: true, methods: true, paths: true, query: true, scheme: true, port: true, websocket: true, inspect: true }).shape, auth: authByName.optional() }),
  "git-upstream": object({ url: upstream.shape.url, push: object({ branches: push.shape.branches, tags: push.shape.tags }).optional() }),
  "git-branch": object({ upstream: upstreamName, branches: push.shape.branches, tags: push.shape.tags }),
} as const;

export type Kind = keyof typeof changeSchemas;
export const kinds = Object.keys(changeSchemas) as [Kind, ...Kind[]];

/** The change as it was written, before any default. */
export type Change = { [K in Kind]: z.input<(typeof changeSchemas)[K]> };

/**
 * What is wrong with a change, one line each: `paths[0]: …`. The same faults that the manifest would have.
 */
export function changeFaults(kind: Kind, change: unknown): string[] {
  if (JSON.stringify(change ?? null).length > CHANGE_MAX) return [`is over ${CHANGE_MAX} bytes; ask for less at once`];
  const parsed = changeSchemas[kind].safeParse(change);
  if (!parsed.success) return parsed.error.issues.flatMap((issue) => describe(issue)).map((line) => line.replace(/^bottle:?/, "").replace(/^: /, ""));
  switch (kind) {
    case "host":
      return manifestFaults({ hosts: [change] }, "bottle:network.hosts[0]");
    case "route":
      return manifestFaults({ routes: [change] }, "bottle:network.routes[0]");
    case "git-upstream": {
      const { url, push: wanted } = change as Change["git-upstream"];
      // The host's own files are nothing to ask for.
      if (/^file:/i.test(url)) return ["url: names a folder of the host, which cannot be asked for"];
      return wanted !== undefined && !wanted.branches?.length && !wanted.tags?.length ? ["push: allows nothing; name branches or tags, or leave it out to only read"] : [];
    }
    case "git-branch": {
      const { branches, tags } = change as Change["git-branch"];
      return !branches?.length && !tags?.length ? ["names no branch and no tag; name at least one"] : [];
    }
  }
}

function manifestFaults(network: object, prefix: string): string[] {
  try {
    readManifest({ agent: { claude: { login: "none" } }, network });
    return [];
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    return error.faults.map((line) => line.replace(prefix, "").replace(/^[.:]\s*/, ""));
  }
}

const base = {
  format: z.literal(FORMAT),
  id: matching(ID, "is no request's id"),
  created_at: instant,
  expires_at: instant,
  why: paragraph,
};

/** A request's file. `for_seconds`: how long the grant is wanted; null: until a human takes it away. */
export const requestSchema = object({
  ...base,
  kind: z.enum(kinds),
  change: z.record(z.string(), z.unknown()),
  for_seconds: z.int().min(FOR_SECONDS.min).max(FOR_SECONDS.max).nullable(),
}).check((context) => {
  const { kind, change, for_seconds, created_at, expires_at } = context.value;
  for (const message of changeFaults(kind, change)) context.issues.push({ code: "custom", input: "", path: ["change"], message });
  if (for_seconds !== null && kind.startsWith("git-")) context.issues.push({ code: "custom", input: "", path: ["for_seconds"], message: "has no use for git, whose rules have no end; use null" });
  if (expires_at <= created_at) context.issues.push({ code: "custom", input: "", path: ["expires_at"], message: "is not after created_at" });
});

export type AccessRequest = { [K in Kind]: Omit<z.output<typeof requestSchema>, "kind" | "change"> & { readonly kind: K; readonly change: Change[K] } }[Kind];

/** An answer's file, written by the host alone. `confirmed`: the sidecars themselves say that it is in force. */
export const answerSchema = z.object({
  format: z.literal(FORMAT),
  id: base.id,
  decision: z.enum(["approved", "rejected", "expired", "failed"]),
  decided_at: z.string(),
  by: z.string(),
  why: z.string().nullable(),
  granted: z.record(z.string(), z.unknown()).nullable(),
  until: z.string().nullable(),
  confirmed: z.boolean(),
});

export type Answer = z.output<typeof answerSchema>;

/** Reads a request's file. `id`: what its name says; `fault`: why it can only be rejected. */
export function parseRequest(text: string, id: string): { readonly request: AccessRequest } | { readonly fault: string } {
  if (Buffer.byteLength(text) > FILE_MAX) return { fault: `is over ${FILE_MAX} bytes` };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: "is not JSON" };
  }
  const parsed = requestSchema.safeParse(value);
  if (!parsed.success) return { fault: parsed.error.issues.flatMap((issue) => describe(issue)).map((line) => line.replace(/^bottle:?/, "")).slice(0, 5).join("; ") };
  return parsed.data.id === id ? { request: parsed.data as AccessRequest } : { fault: "has another id than its name" };
}

/** Two requests for the same thing have the same text. */
export function sameness(kind: Kind, change: unknown): string {
  return JSON.stringify([kind, canonical(change)]);
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical).map((item) => JSON.stringify(item)).sort();
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).filter(([, inner]) => inner !== undefined).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, canonical(inner)]);
}
