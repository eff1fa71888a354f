// Stack config values → a complete, checked manifest. Pure: no Pulumi, no machine.
import { describe } from "./describe.ts";
import { gitFaults, normalizeGit } from "./git.ts";
import { hostFaults, inspectFaults, routeFaults, secretFaults, variableFaults } from "./faults.ts";
import { covers, llmHosts } from "./hosts.ts";
import { manifestSchema, type HostInput, type RouteInput } from "./schema.ts";
import type { AllowedHost, Manifest, Route } from "./types.ts";
import { unused } from "./unused.ts";

export type { AllowedHost, Git, GitUpstream, Manifest, Route, RouteAuth } from "./types.ts";

/** Faults of a manifest: one line each, naming key, value's problem and mend. */
export class ManifestError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`the manifest (stack config) has ${faults.length} fault${faults.length === 1 ? "" : "s"}:\n${faults.map((f) => `  - ${f}`).join("\n")}`);
    this.name = "ManifestError";
    this.faults = faults;
  }
}

/**
 * A value of stack config from its text: Pulumi keeps every scalar as text (it writes `true` back as `"true"`) and hands objects
 * over as JSON. What is neither stays text, for the schema to say what it should be.
 */
export function configValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Checks stack config and fills in what it leaves out.
 *
 * @param config values of the `bottle:` keys, by key without the prefix.
 * @param isSecret says whether a key holds a Pulumi secret; left out where nobody can tell.
 * @param now hosts and routes whose end is not after it are checked and then left out.
 * @throws ManifestError with every fault found, never with a secret's value.
 */
export function readManifest(config: Record<string, unknown>, isSecret?: (key: string) => boolean, now = new Date()): Manifest {
  const parsed = manifestSchema.safeParse(config);
  if (!parsed.success) throw new ManifestError(parsed.error.issues.flatMap((issue) => describe(issue)));
  const { agent, network, supervise, trust, images } = parsed.data;
  const git = normalizeGit(parsed.data.git);

  const hosts = network.hosts.map(normalizeHost);
  const names = routeNames(network.routes);
  const routes = network.routes.map((route, index) => normalizeRoute(route, names[index]!));
  if (agent.preset === "claude" || (agent.image === undefined && agent.build === undefined)) addClaudeRoute(agent.claude.login, hosts, routes, unused("claude", names));

  const faults = [
    ...hostFaults(hosts),
    ...routeFaults(network.routes, routes, hosts),
    ...inspectFaults(hosts, routes),
    ...gitFaults(git),
    ...variableFaults(agent, routes, git.upstreams),
    ...(isSecret ? secretFaults(network.routes, parsed.data.git.upstreams, isSecret) : []),
  ];
  if (faults.length > 0) throw new ManifestError(faults);

  const inForce = ({ expires }: AllowedHost) => expires === undefined || new Date(expires) > now;
  return {
    agent: {
      ...agent,
      kind: agent.build ? "build" : agent.image ? "image" : "preset",
      workspace: { ...agent.workspace, mode: agent.workspace.mode ?? (agent.workspace.path === undefined ? "none" : "copy") },
    },
    network: { ...network, hosts: hosts.filter(inForce), routes: routes.filter(inForce), expired: [...expiredKeys("hosts", hosts, inForce), ...expiredKeys("routes", routes, inForce)] },
    git,
    supervise,
    trust,
    images,
    gitSecrets: new Map(git.upstreams.flatMap(({ token }, index) => (token?.source === "secret" ? [[token.id, parsed.data.git.upstreams[index]!.token!.secret!]] : []))),
    secrets: new Map(network.routes.flatMap((input, index) => (input.auth?.secret === undefined || !inForce(routes[index]!) ? [] : [[routes[index]!.auth!.token, input.auth.secret]]))),
  };
}

function expiredKeys(list: string, entries: readonly AllowedHost[], inForce: (entry: AllowedHost) => boolean): string[] {
  return entries.flatMap((entry, index) => (inForce(entry) ? [] : [`bottle:network.${list}[${index}]`]));
}

function normalizeHost(input: HostInput): AllowedHost {
  return { host: input.host, private: input.private, inspect: input.inspect ?? !llmHosts.has(input.host), ...(input.expires !== undefined && { expires: input.expires }) };
}

/** Names are told apart: egress reports by them, and a secret's file is called by its route. */
function routeNames(inputs: readonly RouteInput[]): string[] {
  const names: string[] = [];
  const given = inputs.flatMap(({ name }) => name ?? []);
  for (const { name, host } of inputs) names.push(name ?? unused(host.replace(/^\*\./, "any-").replace(/[^a-z0-9]+/g, "-").replace(/^-/, "").slice(0, 60), [...given, ...names]));
  return names;
}

function normalizeRoute(input: RouteInput, name: string): Route {
  const { auth, ...rest } = input;
  return {
    ...rest,
    ...normalizeHost(input),
    name,
    port: input.port ?? (input.scheme === "http" ? 80 : 443),
    auth: auth && {
      token: auth.variable ?? `secret_${name.replaceAll("-", "_")}`,
      source: auth.variable === undefined ? "secret" : "variable",
      scheme: auth.scheme,
      header: auth.header,
      ...(auth.username === undefined ? {} : { username: auth.username }),
      optional: auth.optional,
    },
  };
}

/**
 * What Claude Code 2.1 asks of its API, seen on the wire and in its program. No more: with the
 * credential put on, /v1/files or /v1/organizations would be the agent's too.
 */
const claudePaths = ["/v1/messages", "/v1/messages/count_tokens", "/v1/models", "/v1/models/*", "/api/claude_code/settings", "/api/claude_code/policy_limits"];

/** Claude Code's own login, unless the manifest has its own route to the API. */
function addClaudeRoute(login: "api-key" | "subscription" | "none", hosts: AllowedHost[], routes: Route[], name: string): void {
  const host = "api.anthropic.com";
  if (login === "none" || [...hosts, ...routes].some((entry) => covers(entry.host, host))) return;
  routes.push({
    name,
    host,
    scheme: "https",
    port: 443,
    methods: ["GET", "POST"],
    paths: [...claudePaths],
    websocket: false,
    inspect: false,
    private: [],
    auth: {
      token: login === "api-key" ? "ANTHROPIC_API_KEY" : "CLAUDE_CODE_OAUTH_TOKEN",
      source: "variable",
      scheme: login === "api-key" ? "raw" : "bearer",
      header: login === "api-key" ? "x-api-key" : "authorization",
      optional: true,
    },
  });
}
