// The manifest and the bottle's networks → pipelock.yaml. Pure; keys are pipelock 2.3's own
// (an unknown one is fatal there).
import { stringify } from "yaml";
import type { AllowedHost, Route } from "../manifest/manifest.ts";

export interface PipelockInput {
  /** CIDR of the bottle's own networks that allowed names may resolve to: see guestRange. */
  readonly guests: string;
  readonly hosts: readonly AllowedHost[];
  readonly routes: readonly Route[];
}

/** Where pipelock finds its files inside its container. */
export const pipelockPaths = {
  config: "/etc/pipelock/config",
  ca: "/etc/pipelock/ca",
  trust: "/etc/pipelock/trust",
  evidence: "/var/log/pipelock",
} as const;

/** Signs receipts; lies beside pipelock.yaml. */
export const RECEIPT_KEY = "receipt-key";

/** The same port as egress's, so that the agent's proxy address never changes. */
export const PIPELOCK_PORT = 8080;

/** Headers in which agents' clients carry credentials; pipelock looks for secrets in them. */
const credentialHeaders = ["authorization", "cookie", "x-api-key", "x-token", "proxy-authorization", "x-goog-api-key"];

/**
 * Renders pipelock's configuration: strict allowlist, SSRF guard with exceptions only for the
 * guests of the bottle's own network and the manifest's private ranges, DLP on bodies and headers of inspected hosts.
 */
export function renderPipelockConfig(input: PipelockInput): string {
  const { hosts, routes, guests } = input;
  const all: readonly AllowedHost[] = [...hosts, ...routes];
  // egress writes these on inspected hosts: what it puts on would be taken for a leak. It takes off
  // what the agent itself sends in them, so nothing crosses unseen.
  const injected = new Set(routes.flatMap((route) => (route.auth && route.inspect ? [route.auth.header] : [])));
  const config = {
    version: 1,
    mode: "strict",
    enforce: true,
    explain_blocks: true,
    // pipelock takes no empty list; a bottle without a way out has a name that never resolves (RFC 2606).
    api_allowlist: all.length === 0 ? ["nothing.invalid"] : unique(all.map((entry) => entry.host)),
    fetch_proxy: {
      listen: `0.0.0.0:${PIPELOCK_PORT}`,
      timeout_seconds: 300,
      // For the whole bottle: high enough for a package install, low enough to stop a runaway loop.
      monitoring: { max_requests_per_minute: 60_000, max_url_length: 8_192 },
    },
    forward_proxy: { enabled: true, max_tunnel_seconds: 14_400, idle_timeout_seconds: 900, sni_verification: true },
    websocket_proxy: { enabled: false },
    tls_interception: {
      enabled: true,
      ca_cert: `${pipelockPaths.ca}/ca.pem`,
      ca_key: `${pipelockPaths.ca}/ca-key.pem`,
      passthrough_domains: unique(all.filter((entry) => !entry.inspect).map((entry) => entry.host)),
      max_response_bytes: 8 * 1024 * 1024, // a scan costs about 10 ms a KB; larger bodies belong on passed-through hosts
    },
    request_body_scanning: {
      enabled: true,
      action: "block",
      max_body_bytes: 5 * 1024 * 1024,
      scan_headers: true, // left out means false
      header_mode: "sensitive",
      sensitive_headers: credentialHeaders.filter((header) => !injected.has(header)),
    },
    dlp: { include_defaults: true, scan_env: false },
    ssrf: { ip_allowlist: unique([guests, ...all.flatMap((entry) => entry.private)]) },
    flight_recorder: {
      enabled: true,
      dir: pipelockPaths.evidence,
      redact: true,
      signing_key_path: `${pipelockPaths.config}/${RECEIPT_KEY}`,
      // One file a run: its size is what is bounded (EVIDENCE_LIMIT), and pipelock deletes none.
      max_entries_per_file: 1_000_000_000,
    },
    metrics_listen: "127.0.0.1:9090", // off the port that the agent's side reaches
    logging: { format: "json", output: "stdout", include_allowed: true, include_blocked: true },
  };
  return stringify(config, { lineWidth: 0 });
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}
