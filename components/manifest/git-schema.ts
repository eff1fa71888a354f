// `bottle:git`: the repositories that a bottle may reach through git-gate.
import { z } from "zod";
import { parseKnownHost } from "./known-hosts.ts";
import { object } from "./strict-object.ts";
import { gitUrlFault } from "./git-url.ts";
import { checked, matching, memory, path, variable } from "./texts.ts";

/** What is pushed at most, unless the manifest says otherwise. */
export const GIT_LIMITS = { pack: "512m", file: "100m", refs: 50, scanSeconds: 300, connections: 32, memory: "1g" } as const;

/** An address; what stands before an @ could be a password. */
const gitUrl = checked(gitUrlFault, (value) => JSON.stringify(value.replace(/\/\/[^/]*@/, "//…@").replace(/^[^/@:]+:[^/@]*@/, "…@")));

/** A branch's or tag's name, with globs. Rules of names: https://git-scm.com/docs/git-check-ref-format. */
const refGlob = checked((value) => {
  if (value.startsWith("refs/")) return `is a whole ref; write the name alone, such as ${JSON.stringify(value.replace(/^refs\/[^/]*\//, ""))}`;
  if (value === "" || /[\s~^:?[\\\x00-\x1f\x7f]|\.\.|@\{|\/\/|^[/-]|\/$|\.$|\.lock(\/|$)|(^|\/)\./.test(value)) return "is not a branch's or tag's name; write it as main, agent/* (one segment) or agent/** (any depth)";
  if (value.split("/").some((part) => part.includes("**") && part !== "**")) return "has ** inside a segment; write it as agent/* (one segment) or agent/** (any depth)";
  return undefined;
});
const refGlobs = z.array(refGlob).default([]);

export const push = object({
  branches: refGlobs.describe("Names with globs: * within a segment, ** across segments."),
  tags: refGlobs.describe("The same for tags."),
  delete: z.boolean().default(false).describe("Whether what may be pushed may also be deleted."),
  force: z.boolean().default(false).describe("Whether what may be pushed may also be rewritten."),
}).check((context) => {
  const { branches, tags } = context.value;
  if (branches.length + tags.length === 0) context.issues.push({ code: "custom", input: context.value, message: "allows nothing; name branches or tags, or leave the key out for a read-only upstream" });
});

const token = object({
  variable: variable.optional().describe("Name of the host's variable that holds the token."),
  secret: z.string().min(1).optional().describe("The token itself, as a Pulumi secret (pulumi config set --secret --path)."),
  username: matching(/^[\x21-\x39\x3b-\x7e]+$/, "is not a user name; use printable ASCII without a colon")
    .default("x-access-token")
    .describe("User name beside the token; GitHub takes any, GitLab oauth2 or any."),
}).check((context) => {
  const { variable: name, secret } = context.value;
  if ((name === undefined) === (secret === undefined)) {
    context.issues.push({ code: "custom", input: context.value, message: "needs exactly one of variable (a host variable's name) and secret (a Pulumi secret)" });
  }
});

/** A file, or the key itself. */
const knownHosts = checked((value) => {
  const line = parseKnownHost(value);
  return "fault" in line ? line.fault : undefined;
});

export const upstream = object({
  name: matching(/^[a-z0-9][a-z0-9-]{0,62}$/, "is not an upstream's name; use a-z, 0-9 and -, at most 63").optional().describe("Shown in logs. Default: made of the URL's last part."),
  url: gitUrl.describe("ssh://git@host/path.git, git@host:path.git or https://host/path.git (file:///path for tests)."),
  identityFile: path.optional().describe("ssh: private key without a passphrase, such as a deploy key; it is mounted into git-gate alone."),
  knownHosts: z
    .union([knownHosts, z.array(knownHosts)])
    .transform((value) => [value].flat())
    .optional()
    .describe("ssh: the host's key (ssh-ed25519 AAAA…), or a known_hosts file. Default: ~/.ssh/known_hosts."),
  token: token.optional().describe("https: who logs in."),
  push: push.optional().describe("What the agent may push. Left out: nothing, the upstream is read-only."),
  serveStale: z.boolean().default(false).describe("true: while the upstream cannot be reached, fetches get its last known state."),
});

const line = (what: string) => matching(/^[^\n\r\0<>]*[^\s<>][^\n\r\0<>]*$/, `is not ${what}; write one line without < and >`);

export const git = object({
  upstreams: z.array(upstream).default([]).describe("Repositories that the agent clones, fetches and pushes under their usual URLs."),
  author: object({ name: line("a name"), email: line("an address") })
    .optional()
    .describe("Identity of the agent's commits. Default: that of the bottle, with an address that reaches nobody."),
  signing: object({ identityFile: path.describe("Private SSH key (OpenSSH format, no passphrase); it stays in git-gate.") })
    .optional()
    .describe("Signs the agent's commits and tags."),
  gitleaks: path.optional().describe("A gitleaks configuration of your own (TOML), instead of its default rules; [extend] useDefault = true keeps those."),
  limits: object({
    pack: memory.default(GIT_LIMITS.pack).describe("Of one push."),
    file: memory.default(GIT_LIMITS.file).describe("Of a single file in a push."),
    refs: z.int().min(1).default(GIT_LIMITS.refs).describe("Branches and tags in one push."),
    scanSeconds: z.int().min(1).default(GIT_LIMITS.scanSeconds).describe("For the scan of one push; beyond it the push is refused."),
    connections: z.int().min(1).default(GIT_LIMITS.connections).describe("At once."),
    memory: memory.default(GIT_LIMITS.memory).describe("Of git-gate's container."),
  }).prefault({}),
});

export type GitInput = z.output<typeof git>;
export type UpstreamInput = z.output<typeof upstream>;
