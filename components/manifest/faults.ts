// Faults that no single key shows: duplicates, contradictions, credentials in the wrong place. Pure.
import { covers } from "./hosts.ts";
import { reservedVariables, type ManifestInput, type RouteInput } from "./schema.ts";
import type { UpstreamInput } from "./git-schema.ts";
import type { AllowedHost, GitUpstream, Route } from "./types.ts";

const HOSTS = "bottle:network.hosts";
const ROUTES = "bottle:network.routes";

/** Hosts that are named twice. */
export function hostFaults(hosts: readonly AllowedHost[]): string[] {
  return hosts.flatMap(({ host }, index) => {
    const first = hosts.findIndex((other) => other.host === host);
    return first === index ? [] : [`${HOSTS}[${index}]: "${host}" is there already as hosts[${first}]; remove one`];
  });
}

/**
 * @param inputs the routes as written.
 * @param routes the same with every default decided, and perhaps Claude's own at the end.
 */
export function routeFaults(inputs: readonly RouteInput[], routes: readonly Route[], hosts: readonly AllowedHost[]): string[] {
  return inputs.flatMap((input, index) => {
    const route = routes[index]!;
    const key = `${ROUTES}[${index}]`;
    const faults: string[] = [];
    const duplicate = routes.findIndex((other) => sameMatch(other, route));
    if (duplicate < index) faults.push(`${key}: matches just what routes[${duplicate}] matches ("${route.host}"); remove one, or tell them apart by methods, paths or query`);
    const named = inputs.findIndex((other) => other.name !== undefined && other.name === input.name);
    if (named >= 0 && named < index) faults.push(`${key}.name: "${route.name}" is the name of routes[${named}] too; choose another`);
    if (route.auth && route.scheme === "http") faults.push(`${key}.auth: a credential on plain http would cross the network readable; remove auth, or set scheme: https`);
    const secret = route.auth?.source === "variable" && routes.find((other) => other.auth?.source === "secret" && other.auth.token === route.auth!.token);
    if (secret) faults.push(`${key}.auth.variable: ${route.auth!.token} is what bottle calls the secret of route "${secret.name}"; give that route another name`);
    if (route.websocket && route.inspect) faults.push(`${key}.websocket: pipelock refuses WebSockets on inspected hosts; add inspect: false, or remove websocket`);
    const allowed = hosts.findIndex((entry) => entry.host === route.host);
    if (allowed >= 0) faults.push(`${key}.host: "${route.host}" is also in hosts[${allowed}], which would allow it as a whole; keep one of the two`);
    return faults;
  });
}

/**
 * pipelock decides by host alone, and its `*.example.com` includes example.com: an inspected host
 * under a pattern that is passed through would be passed through too.
 */
export function inspectFaults(hosts: readonly AllowedHost[], routes: readonly Route[]): string[] {
  const entries = [
    ...hosts.map((entry, index) => ({ ...entry, kind: HOSTS, at: `hosts[${index}]` })),
    ...routes.map((entry, index) => ({ ...entry, kind: ROUTES, at: `routes[${index}]` })),
  ];
  return entries.flatMap((entry) => {
    if (!entry.inspect) return [];
    const passed = entries.find((other) => !other.inspect && (covers(other.host, entry.host) || other.host === `*.${entry.host}`) && (other.host !== entry.host || (entry.kind === ROUTES && other.kind === ROUTES)));
    if (passed === undefined) return [];
    return [`bottle:network.${entry.at}.inspect: "${entry.host}" is to be inspected, but pipelock decides by host and passes "${passed.host}" (${passed.at}) through; set inspect: false here, or inspect: true there`];
  });
}

function sameMatch(a: Route, b: Route): boolean {
  const shape = (route: Route) => JSON.stringify([route.host, route.scheme, route.port, sorted(route.methods), sorted(route.paths), sorted(Object.entries(route.query ?? {}))]);
  return shape(a) === shape(b);
}

const sorted = (values: readonly unknown[] | undefined) => (values ? values.map((value) => JSON.stringify(value)).sort() : null);

/** Variables of the agent that are the token of a route or an upstream, or bottle's own. */
export function variableFaults(agent: ManifestInput["agent"], routes: readonly Route[], upstreams: readonly GitUpstream[]): string[] {
  const tokens = new Map([
    ...upstreams.flatMap(({ name, token }) => (token?.source === "variable" ? [[token.id, `git upstream "${name}"`] as const] : [])),
    ...routes.flatMap((route) => (route.auth?.source === "variable" ? [[route.auth.token, `route "${route.name}"`] as const] : [])),
  ]);
  const inherited = agent.inheritEnv.flatMap((name, index) => {
    const key = `bottle:agent.inheritEnv[${index}]`;
    const holder = tokens.get(name);
    return [
      ...(holder === undefined ? [] : [`${key}: ${name} is the token of ${holder} and may not enter the agent too; remove it here`]),
      ...(reservedVariables.has(name) ? [`${key}: ${name} is set by bottle itself; remove it`] : []),
      ...(name in agent.env ? [`${key}: ${name} is also in agent.env; keep one`] : []),
    ];
  });
  const own = Object.keys(agent.env).filter((name) => reservedVariables.has(name));
  return [...inherited, ...own.map((name) => `bottle:agent.env.${name}: is set by bottle itself; remove it`)];
}

/** Pulumi secrets where the manifest has no place for one, and a token that is none. */
export function secretFaults(routes: readonly RouteInput[], upstreams: readonly UpstreamInput[], isSecret: (key: string) => boolean): string[] {
  const faults: string[] = [];
  const places: Record<string, string[]> = {
    network: routes.flatMap(({ auth }, index) => (auth?.secret === undefined ? [] : [`network.routes[${index}].auth.secret`])),
    git: upstreams.flatMap(({ token }, index) => (token?.secret === undefined ? [] : [`git.upstreams[${index}].token.secret`])),
  };
  for (const [key, tokens] of Object.entries(places)) {
    if (tokens.length > 0 && !isSecret(key)) faults.push(`bottle:${tokens[0]}: is in plain text; set it with: pulumi config set --secret --path 'bottle:${tokens[0]}'`);
  }
  for (const key of ["agent", "network", "git", "trust", "images"]) {
    if (isSecret(key) && !places[key]?.length) {
      faults.push(`bottle:${key}: holds a Pulumi secret where its value would be written in plain text; only network.routes[N].auth.secret and git.upstreams[N].token.secret may be one`);
    }
  }
  return faults;
}
