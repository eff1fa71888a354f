// Stack config values → a complete, checked manifest. Pure: no Pulumi, no machine.
import type { z } from "zod";
import { covers, llmHosts } from "./hosts.ts";
import { manifestSchema, reservedVariables, type HostInput, type ManifestInput, type RouteInput } from "./schema.ts";

/** A host allowed as a whole, with every default decided. */
export interface AllowedHost {
  readonly host: string;
  readonly inspect: boolean;
  readonly private: readonly string[];
}

/** A route's credential, by the id under which egress finds the token. */
export interface RouteAuth {
  /** Name of the host variable, or `secret-<route>`: the token's file name in egress. */
  readonly token: string;
  readonly source: "variable" | "secret";
  readonly scheme: "bearer" | "basic" | "raw";
  readonly header: string;
  readonly username?: string;
  readonly optional: boolean;
}

export interface Route extends AllowedHost {
  readonly name: string;
  readonly scheme: "https" | "http";
  readonly port: number;
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  readonly websocket: boolean;
  readonly auth?: RouteAuth;
}

export interface Manifest {
  readonly agent: ManifestInput["agent"] & {
    readonly kind: "preset" | "image" | "build";
    readonly workspace: { readonly mode: "copy" | "mount" | "none"; readonly path?: string; readonly seed?: string | number };
  };
  readonly network: {
    readonly hosts: readonly AllowedHost[];
    readonly routes: readonly Route[];
    readonly packages: readonly ("npm" | "pip" | "apt")[];
    readonly pool: string;
    readonly subnet?: string;
    readonly proxy?: "direct";
  };
  readonly trust: { readonly caFiles?: readonly string[] };
  readonly images: ManifestInput["images"];
  /** Tokens given as Pulumi secrets, by token id. Kept apart so that no renderer can print them. */
  readonly secrets: ReadonlyMap<string, string>;
}

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
 * Checks stack config and fills in what it leaves out.
 *
 * @param config values of the `bottle:` keys, by key without the prefix.
 * @param isSecret says whether a key holds a Pulumi secret.
 * @throws ManifestError with every fault found, never with a secret's value.
 */
export function readManifest(config: Record<string, unknown>, isSecret: (key: string) => boolean = () => true): Manifest {
  const parsed = manifestSchema.safeParse(config);
  if (!parsed.success) throw new ManifestError(parsed.error.issues.flatMap((issue) => describe(issue)));
  const { agent, network, trust, images } = parsed.data;
  const faults: string[] = [];

  const hosts = network.hosts.map(normalizeHost);
  const routes = network.routes.map(normalizeRoute);
  if (agent.preset === "claude" || (agent.image === undefined && agent.build === undefined)) addClaudeRoute(agent.claude.login, hosts, routes);

  faults.push(...hostFaults(hosts), ...routeFaults(network.routes, routes, hosts), ...variableFaults(agent, routes));
  if (network.routes.some((route) => route.auth?.secret !== undefined) && !isSecret("network")) {
    faults.push("bottle:network: an auth.secret is in plain text; set it with: pulumi config set --secret --path 'bottle:network.routes[N].auth.secret'");
  }
  if (faults.length > 0) throw new ManifestError(faults);

  return {
    agent: {
      ...agent,
      kind: agent.build ? "build" : agent.image ? "image" : "preset",
      workspace: { ...agent.workspace, mode: agent.workspace.mode ?? (agent.workspace.path === undefined ? "none" : "copy") },
    },
    network: { ...network, hosts, routes },
    trust,
    images,
    secrets: new Map(network.routes.flatMap((input, index) => (input.auth?.secret === undefined ? [] : [[routes[index]!.auth!.token, input.auth.secret]]))),
  };
}

function normalizeHost(input: HostInput): AllowedHost {
  return { host: input.host, private: input.private, inspect: input.inspect ?? !llmHosts.has(input.host) };
}

function normalizeRoute(input: RouteInput): Route {
  const { auth, ...rest } = input;
  const name = input.name ?? input.host.replace(/^\*\./, "any-").replaceAll(".", "-");
  return {
    ...rest,
    ...normalizeHost(input),
    name,
    port: input.port ?? (input.scheme === "http" ? 80 : 443),
    auth: auth && {
      token: auth.variable ?? `secret-${name}`,
      source: auth.variable === undefined ? "secret" : "variable",
      scheme: auth.scheme,
      header: auth.header,
      ...(auth.username === undefined ? {} : { username: auth.username }),
      optional: auth.optional,
    },
  };
}

/** Claude Code's own login, unless the manifest has its own route to the API. */
function addClaudeRoute(login: "api-key" | "subscription" | "none", hosts: AllowedHost[], routes: Route[]): void {
  const host = "api.anthropic.com";
  if (login === "none" || [...hosts, ...routes].some((entry) => covers(entry.host, host))) return;
  routes.push({
    name: "claude",
    host,
    scheme: "https",
    port: 443,
    methods: ["GET", "POST"],
    paths: ["/v1/**", "/api/**"],
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

function hostFaults(hosts: readonly AllowedHost[]): string[] {
  return hosts.flatMap(({ host }, index) => {
    const first = hosts.findIndex((other) => other.host === host);
    return first === index ? [] : [`bottle:network.hosts[${index}]: "${host}" is there already as hosts[${first}]; remove one`];
  });
}

function routeFaults(inputs: readonly RouteInput[], routes: readonly Route[], hosts: readonly AllowedHost[]): string[] {
  const faults: string[] = [];
  inputs.forEach((input, index) => {
    const route = routes[index]!;
    const key = `bottle:network.routes[${index}]`;
    const duplicate = routes.findIndex((other) => sameMatch(other, route));
    if (duplicate < index) faults.push(`${key}: matches just what routes[${duplicate}] matches ("${route.host}"); remove one, or tell them apart by methods or paths`);
    const named = routes.findIndex((other) => other.name === route.name && other.auth?.token !== route.auth?.token);
    if (named < index && named >= 0 && route.auth?.source === "secret") faults.push(`${key}: a second route named "${route.name}" with a secret of its own; give it a name`);
    if (input.auth && route.scheme === "http") faults.push(`${key}.auth: a credential on plain http would cross the network readable; remove auth, or set scheme: https`);
    if (input.websocket && input.inspect === true) faults.push(`${key}.websocket: pipelock refuses WebSockets on inspected hosts; set inspect: false, or websocket: false`);
    const allowed = hosts.findIndex((entry) => entry.host === route.host);
    if (allowed >= 0) faults.push(`${key}.host: "${route.host}" is also in hosts[${allowed}], which would allow it as a whole; keep one of the two`);
    const other = routes.findIndex((entry, at) => at < index && entry.host === route.host && entry.inspect !== route.inspect);
    if (other >= 0) faults.push(`${key}.inspect: "${route.host}" is ${routes[other]!.inspect ? "" : "not "}inspected in routes[${other}]; pipelock decides by host, so say the same in both`);
  });
  return faults;
}

function sameMatch(a: Route, b: Route): boolean {
  const shape = (route: Route) => JSON.stringify([route.host, route.scheme, route.port, sorted(route.methods), sorted(route.paths), route.query ?? {}]);
  return shape(a) === shape(b);
}

const sorted = (values: readonly string[] | undefined) => (values ? [...values].sort() : null);

function variableFaults(agent: ManifestInput["agent"], routes: readonly Route[]): string[] {
  const tokens = new Map(routes.flatMap((route) => (route.auth?.source === "variable" ? [[route.auth.token, route.name] as const] : [])));
  const faults: string[] = [];
  agent.inheritEnv.forEach((name, index) => {
    const holder = tokens.get(name);
    if (holder !== undefined) faults.push(`bottle:agent.inheritEnv[${index}]: ${name} is the token of route "${holder}" and may not enter the agent too; remove it here`);
    if (reservedVariables.has(name)) faults.push(`bottle:agent.inheritEnv[${index}]: ${name} is set by bottle itself; remove it`);
    if (name in agent.env) faults.push(`bottle:agent.inheritEnv[${index}]: ${name} is also in agent.env; keep one`);
  });
  for (const name of Object.keys(agent.env)) {
    if (reservedVariables.has(name)) faults.push(`bottle:agent.env.${name}: is set by bottle itself; remove it`);
  }
  return faults;
}

/** One line an issue: `bottle:<path>: <problem>`. Values are named by the checks themselves, never here: one could be a secret. */
function describe(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "invalid_union") {
    // Of a union's branches the one that got furthest says best what is meant.
    const best = issue.errors.map((branch) => branch).sort((a, b) => depth(b) - depth(a))[0] ?? [];
    return best.flatMap((inner) => describe({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue));
  }
  const at = issue.path.reduce<string>((key, part) => (typeof part === "number" ? `${key}[${part}]` : key === "" ? String(part) : `${key}.${String(part)}`), "");
  const message = issue.message.replace(/^Invalid input: expected (\S+), received (\S+)$/, (_, wanted: string, got: string) => `is ${article(got)}; give ${article(wanted)}`)
    .replace(/^Invalid option: expected one of (.*)$/, (_, options: string) => `is none of ${options.replaceAll("|", ", ")}`);
  return [`bottle:${at}: ${message}`];
}

const depth = (branch: readonly z.core.$ZodIssue[]) => Math.max(0, ...branch.map((issue) => issue.path.length + (issue.code === "custom" ? 1 : 0)));

function article(type: string): string {
  return type === "undefined" ? "missing" : /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}
