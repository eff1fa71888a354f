// The manifest: what a human writes under `bottle:` in Pulumi.<stack>.yaml. The zod schema is the
// single source of its types, its validation and the JSON Schema that editors read.
import { z } from "zod";
import { git } from "./git-schema.ts";
import { object } from "./strict-object.ts";
import { environmentName, header, host, image, instant, matching, memory, ownRange, parameterName, path, pathGlob, privateRange, variable } from "./texts.ts";
import { parseCidr } from "../subnets.ts";

/** Claude Code release that the `claude` preset installs unless the manifest names another. */
export const CLAUDE_CODE_VERSION = "2.1.331";
export const BASE_IMAGE = "debian:trixie-slim";
export const PIPELOCK_IMAGE = "ghcr.io/luckypipewrench/pipelock:2.3.0";
export const DEFAULT_POOL = "10.192.0.0/12";

/** Variables that bottle itself sets in the agent; a manifest that set them would break the way out. */
export const reservedVariables: ReadonlySet<string> = new Set(
  ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]).concat([
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "HOME",
  ]),
);

const privateRanges = z
  .array(privateRange)
  .default([])
  .describe("Private addresses (CIDR) the host may resolve to; else pipelock's SSRF guard refuses them. Never loopback or link-local.");

const inspect = z
  .boolean()
  .optional()
  .describe("Whether pipelock opens and scans the traffic. Default: true, but false for LLM APIs and package mirrors.");

/** Pulumi reads a time without quotes as one, and hands it on as Go prints it. */
const expires = z.string().transform((value) => value.replace(/^(\S{10}) (\S+) \+0000 UTC$/, "$1T$2Z")).pipe(instant).optional().describe("End of this entry, in UTC: 2026-11-25T10:00:00Z. egress refuses from then on, and the next `up` leaves it out.");

export const auth = object({
  variable: variable.optional().describe("Name of the host's variable that holds the token."),
  secret: z.string().min(1).optional().describe("The token itself, as a Pulumi secret (pulumi config set --secret --path)."),
  scheme: z.enum(["bearer", "basic", "raw"]).default("bearer").describe("bearer and basic write Authorization; raw writes the token alone."),
  header: header
    .transform((name) => name.toLowerCase())
    .default("authorization")
    .describe("Header that egress writes, such as x-api-key."),
  username: matching(/^[\x20-\x39\x3b-\x7e]+$/, "is not a user name; use printable ASCII without a colon").optional().describe("User name for scheme basic."),
  optional: z.boolean().default(false).describe("true: without a token the bottle comes up and requests go on without credential."),
}).check((context) => {
  const value = context.value;
  const problem =
    (value.variable === undefined) === (value.secret === undefined)
      ? "needs exactly one of variable (a host variable's name) and secret (a Pulumi secret)"
      : value.scheme === "basic" && value.username === undefined
        ? "has scheme basic but no username; add username"
        : value.scheme !== "basic" && value.username !== undefined
          ? `has a username, which scheme ${value.scheme} has no place for; set scheme: basic, or remove username`
          : undefined;
  if (problem) context.issues.push({ code: "custom", input: value, message: problem });
});

export const route = object({
  name: matching(/^[a-z0-9][a-z0-9-]{0,62}$/, "is not a route name; use a-z, 0-9 and -, at most 63").optional().describe("Shown in logs. Default: made of the host."),
  host: host.describe("Exact host or *.example.com (any depth, not example.com itself)."),
  scheme: z.enum(["https", "http"]).default("https"),
  port: z.int().min(1).max(65535).optional().describe("Default: 443, or 80 for scheme http."),
  methods: z
    .array(matching(/^[A-Z][A-Z-]{0,31}$/, "is not a method; write it in upper case, such as GET"))
    .min(1)
    .optional()
    .describe("Default: any but CONNECT and TRACE."),
  paths: z.array(pathGlob).min(1).optional().describe("Globs: * within a segment, ** across segments. Default: any."),
  query: z.record(parameterName, z.string()).optional().describe("Parameters that must be there exactly once, with globs for their values."),
  websocket: z.boolean().default(false).describe("Whether WebSocket upgrades are let through (needs inspect: false)."),
  inspect,
  private: privateRanges,
  auth: auth.optional(),
  expires,
});

export const allowedHost = object({ host, inspect, private: privateRanges, expires });

const workspace = object({
  mode: z
    .enum(["copy", "mount", "none"])
    .optional()
    .describe("copy: the tree seeds a volume once. mount: the directory itself. none: an empty volume. Default: copy where path is given, else none."),
  path: path.optional().describe("Directory, relative to the Pulumi project."),
  seed: z.union([z.string(), z.int()]).optional().describe("Change it to seed a copied workspace anew; the agent's work is saved first."),
});

const agent = object({
  preset: z.enum(["claude"]).optional().describe("An image of ours. Default: claude, unless image or build is given."),
  image: image.optional().describe("Any image, by name or digest."),
  build: object({
    context: path.describe("Build context."),
    dockerfile: z.string().min(1).default("Dockerfile"),
    target: z.string().min(1).optional(),
    args: z.record(z.string(), z.string()).default({}),
  }).optional(),
  workspace: workspace.prefault({}),
  prompt: path.optional().describe("File given to the agent as its standing instructions."),
  skills: z.array(path).default([]).describe("Directories, each one skill with a SKILL.md."),
  env: z.record(environmentName, z.string()).default({}).describe("Plain variables of the agent. Never secrets: docker inspect shows them."),
  inheritEnv: z.array(variable).default([]).describe("Names of host variables that the agent gets as they are."),
  limits: object({
    cpus: z.number().positive().optional().describe("Default: 2, or what the machine has."),
    memory: memory.default("4g"),
    pids: z.int().min(16).default(2048),
  }).prefault({}),
  filesystem: z
    .enum(["read-only", "writable"])
    .default("read-only")
    .describe("The root file system. writable is for agents that install packages; with user 0 they may use apt."),
  user: z.int().min(0).optional().describe("uid in the container. Default: 1000; in mode mount the owner of the directory. 0 needs filesystem: writable."),
  runtime: z.string().min(1).default("runc").describe("OCI runtime known to the engine, such as runc or runsc."),
  claude: object({
    login: z
      .enum(["api-key", "subscription", "none"])
      .default("api-key")
      .describe("api-key: ANTHROPIC_API_KEY by x-api-key. subscription: CLAUDE_CODE_OAUTH_TOKEN by bearer. The agent holds a placeholder."),
    permissionMode: z.enum(["default", "acceptEdits", "plan", "bypassPermissions"]).default("acceptEdits"),
    version: matching(/^\d+\.\d+\.\d+$/, "is not a Claude Code version such as 2.1.331").default(CLAUDE_CODE_VERSION),
  }).prefault({}),
}).check((context) => {
  const { preset, image, build, workspace: tree, user, filesystem } = context.value;
  const sources = [preset && "preset", image && "image", build && "build"].filter(Boolean);
  const add = (message: string, path: string[] = []) => context.issues.push({ code: "custom", input: context.value, message, path });
  if (sources.length > 1) add(`has ${sources.join(" and ")}; keep one of preset, image, build`);
  if (tree.path === undefined && (tree.mode === "copy" || tree.mode === "mount")) {
    add(`is "${tree.mode}" without a path; add workspace.path, or set mode: none`, ["workspace", "mode"]);
  }
  if (user === 0 && filesystem !== "writable") add(`is 0 on a read-only root; set filesystem: writable too, or leave user out`, ["user"]);
});

const network = object({
  hosts: z
    .array(z.union([host, allowedHost]).transform((entry) => (typeof entry === "string" ? allowedHost.parse({ host: entry }) : entry)))
    .default([])
    .describe("Hosts allowed as a whole: https on 443 and http on 80."),
  routes: z.array(route).default([]).describe("Hosts held to methods, paths and queries, with credentials put on outside the agent."),
  packages: z.array(z.enum(["npm", "pip", "apt"])).default([]).describe("Package clients whose hosts, as this machine configures them, the agent may reach."),
  pool: ownRange.default(DEFAULT_POOL).describe("Private range of /26 or wider from which each bottle has a /26."),
  subnet: ownRange.optional().describe("This bottle's own /26, where the one the pool gives is taken."),
  proxy: z.enum(["direct"]).optional().describe("direct: go out directly although this machine has a company proxy configured. Going through one is not supported."),
}).check((context) => {
  const { pool, subnet } = context.value;
  if (parseCidr(pool).prefix > 26) context.issues.push({ code: "custom", input: pool, path: ["pool"], message: `"${pool}" is too small; a bottle needs a /26` });
  if (subnet !== undefined && parseCidr(subnet).prefix !== 26) {
    context.issues.push({ code: "custom", input: subnet, path: ["subnet"], message: `"${subnet}" is not a /26; a bottle has exactly one /26` });
  }
});

const trust = object({
  caFiles: z
    .array(path)
    .optional()
    .describe("PEM files of extra CAs for outbound TLS that is re-signed. Default: this machine's own (/usr/local/share/ca-certificates)."),
});

const images = object({
  base: image.default(BASE_IMAGE).describe("Base of every image built here: Debian trixie or newer, with apt."),
  pipelock: image.default(PIPELOCK_IMAGE).describe("By name or digest."),
  egress: image.optional().describe("By name or digest. Default: built here."),
  gitGate: image.optional().describe("By name or digest. Default: built here, for the uid that runs it."),
  supervise: image.optional().describe("By name or digest. Default: built here."),
});

/** The manifest, key by key as in stack config (`bottle:agent`, `bottle:network`, …). */
export const manifestSchema = object({
  agent: agent.prefault({}),
  network: network.prefault({}),
  git: git.prefault({}),
  supervise: z.boolean().default(false).describe("Whether the agent may ask for access while it runs; a human on the host decides."),
  trust: trust.prefault({}),
  images: images.prefault({}),
});

/** A manifest with every default filled in. */
export type ManifestInput = z.output<typeof manifestSchema>;
export type RouteInput = z.output<typeof route>;
export type HostInput = z.output<typeof allowedHost>;
