// What the agent asks for, as supervise hands it on. It is only ever data, and is checked here again.
import { z } from "zod";

const text = z.string().max(2_000);
const globs = z.array(text).max(50);
const time = z.iso.datetime({ offset: true });

const changes = {
  host: z.strictObject({ host: text, inspect: z.boolean().optional() }),
  route: z.strictObject({
    host: text,
    scheme: z.enum(["https", "http"]).optional(),
    port: z.int().optional(),
    methods: globs.optional(),
    paths: globs.optional(),
    query: z.record(text, text).optional(),
    auth: z.strictObject({ variable: text, scheme: text.optional(), header: text.optional(), username: text.optional() }).optional(),
  }),
  "git-upstream": z.strictObject({ url: text, push: z.strictObject({ branches: globs.optional(), tags: globs.optional() }).optional() }),
  "git-branch": z.strictObject({ upstream: text, branches: globs.optional(), tags: globs.optional() }),
} as const;

export type Kind = keyof typeof changes;

const envelope = {
  format: z.literal(1),
  id: z.string(),
  created_at: time,
  expires_at: time,
  why: z.string().min(1).max(1_000),
  for_seconds: z.int().positive().max(31_536_000).nullable(),
};

/** Keys only: what their values may be, the manifest's own schema says once they stand in it. */
export const requestSchema = z.discriminatedUnion("kind", [
  z.strictObject({ ...envelope, kind: z.literal("host"), change: changes.host }),
  z.strictObject({ ...envelope, kind: z.literal("route"), change: changes.route }),
  z.strictObject({ ...envelope, kind: z.literal("git-upstream"), change: changes["git-upstream"] }),
  z.strictObject({ ...envelope, kind: z.literal("git-branch"), change: changes["git-branch"] }),
]);

export type Request = z.output<typeof requestSchema>;
export type Change = { [K in Kind]: { readonly kind: K; readonly change: z.output<(typeof changes)[K]> } }[Kind];
export type ProxyChange = Extract<Change, { kind: "host" | "route" }>;
export type GitChange = Exclude<Change, ProxyChange>;

export const isGit = (change: Change): change is GitChange => change.kind === "git-upstream" || change.kind === "git-branch";

/** A change as a human has edited it. @throws Error that says what is wrong */
export function parseChange(kind: Kind, change: unknown): Change {
  const parsed = changes[kind].safeParse(change);
  if (!parsed.success) throw new Error(faults(parsed.error));
  return { kind, change: parsed.data } as Change;
}

/** Where and what, without values: they are the agent's. */
export function faults(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.map(String).join(".") || "request"}: ${issue.code === "unrecognized_keys" ? `unknown key${issue.keys.length > 1 ? "s" : ""}` : issue.code.replaceAll("_", " ")}`).join("; ");
}
