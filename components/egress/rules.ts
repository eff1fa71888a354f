// The manifest → rules.yaml, what egress enforces. Pure. Its format is documented in image/README.md.
import { createHash } from "node:crypto";
import { stringify } from "yaml";
import type { AllowedHost, Route } from "../manifest/manifest.ts";

export interface RulesInput {
  readonly hosts: readonly AllowedHost[];
  readonly routes: readonly Route[];
  /** Whether the agent may ask for more: then egress stands there from the start, so that no answer moves the proxy. */
  readonly supervise?: boolean;
}

/**
 * Whether the bottle needs egress. pipelock alone holds only exact, inspected hosts as they read:
 * its `*.example.com` includes example.com itself, to a passed-through host it lets any port and
 * any bytes through, TLS or not, and it knows no clock.
 */
export function needsEgress({ hosts, routes, supervise }: RulesInput): boolean {
  return supervise === true || routes.length > 0 || hosts.some(({ host, inspect, expires }) => !inspect || expires !== undefined || host.startsWith("*."));
}

/** Renders egress's rules. The revision is a hash of all else: egress reports it back once in force. */
export function renderRules(input: RulesInput): string {
  const rules = {
    // What the agent sends in a header that egress writes is taken off everywhere: pipelock leaves it unread.
    strip_headers: [...new Set(input.routes.flatMap((route) => (route.auth ? [route.auth.header] : [])))].sort(),
    hosts: input.hosts.map(({ host, inspect, expires }) => ({ host, ...(inspect && { inspect }), ...(expires !== undefined && { expires }) })),
    routes: input.routes.map((route) => ({
      name: route.name,
      host: route.host,
      scheme: route.scheme,
      port: route.port,
      ...(route.methods && { methods: route.methods }),
      ...(route.paths && { paths: route.paths }),
      ...(route.query && { query: route.query }),
      websocket: route.websocket,
      ...(route.inspect && { inspect: true }),
      ...(route.auth && {
        auth: {
          token: route.auth.token,
          header: route.auth.header,
          scheme: route.auth.scheme,
          ...(route.auth.username && { username: route.auth.username }),
          optional: route.auth.optional,
        },
      }),
      ...(route.expires !== undefined && { expires: route.expires }),
    })),
  };
  const revision = createHash("sha256").update(JSON.stringify(rules)).digest("hex").slice(0, 16);
  return stringify({ revision, ...rules }, { lineWidth: 0, defaultStringType: "QUOTE_DOUBLE", aliasDuplicateObjects: false });
}
