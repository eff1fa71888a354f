// What the agent's container needs: its own network, its two volumes, the way out, and nothing else.
import type { Manifest } from "../manifest/manifest.ts";
import { PROXY_NAME, PROXY_PORT } from "../egress/service.ts";
import { GATE_NAME } from "../git-gate/config.ts";
import type { Limits, ServiceSpec } from "../service-spec.ts";
import type { StateFolder } from "../state-folder.ts";
import type { NetworkRole, Subnet } from "../subnets.ts";
import { SUPERVISE_NAME } from "../supervise/config.ts";

export const agentPaths = {
  home: "/home/agent",
  workspace: "/workspace",
  /** Debian's and Alpine's system store, and Fedora's. */
  systemStores: ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"],
  /** The same bundle, named to clients by variables. */
  bundle: "/etc/bottle/ca-certificates.crt",
  /** On a writable root: the CAs beside the public roots, for update-ca-certificates. */
  localStore: "/usr/local/share/ca-certificates/bottle.crt",
} as const;

export interface AgentServiceInput {
  readonly manifest: Manifest;
  readonly image: string;
  readonly uid: number;
  readonly gid: number;
  readonly limits: Limits;
  readonly folder: StateFolder;
  readonly subnets: Record<NetworkRole, Subnet>;
  /** Absolute path of the workspace in mode mount. */
  readonly workspacePath?: string;
  /** Variables of the preset and of package clients, below the manifest's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** The service that must be healthy before the agent starts. */
  readonly proxyService: "egress" | "pipelock";
}

/** Variables by which common clients find the proxy and the bottle's CAs. */
export function agentEnvironment(): Record<string, string> {
  const proxy = `http://${PROXY_NAME}:${PROXY_PORT}`;
  const noProxy = `localhost,127.0.0.1,::1,${GATE_NAME},${SUPERVISE_NAME}`;
  const bundle = agentPaths.bundle;
  return {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    http_proxy: proxy,
    https_proxy: proxy,
    NO_PROXY: noProxy,
    no_proxy: noProxy,
    NODE_USE_ENV_PROXY: "1", // Node's own fetch and http, from 24 on
    NODE_EXTRA_CA_CERTS: bundle,
    SSL_CERT_FILE: bundle, // OpenSSL, Python's ssl, Go, uv
    REQUESTS_CA_BUNDLE: bundle,
    PIP_CERT: bundle,
    CURL_CA_BUNDLE: bundle,
    GIT_SSL_CAINFO: bundle,
    AWS_CA_BUNDLE: bundle,
    CARGO_HTTP_CAINFO: bundle,
    DENO_TLS_CA_STORE: "system",
    HOME: agentPaths.home,
  };
}

/** The agent idles (`sleep infinity`); people and tools enter with `docker exec`. */
export function agentService(input: AgentServiceInput): ServiceSpec {
  const { manifest, folder, subnets } = input;
  const { agent } = manifest;
  const writable = agent.filesystem === "writable";
  const bundle = `${folder.agent.ca}/ca-certificates.crt`;
  return {
    name: "agent",
    image: input.image,
    command: ["sleep", "infinity"],
    user: `${input.uid}:${input.gid}`,
    workingDirectory: agentPaths.workspace,
    environment: {
      ...agentEnvironment(),
      ...input.environment,
      ...agent.env,
      ...Object.fromEntries(agent.inheritEnv.map((name) => [name, null])),
    },
    networks: { internal: { address: subnets.internal.addresses["agent"]! } },
    // All of them from the start, there or not: what joins later must not make the agent anew.
    hosts: { [PROXY_NAME]: subnets.internal.addresses["proxy"]!, [GATE_NAME]: subnets.internal.addresses[GATE_NAME]!, [SUPERVISE_NAME]: subnets.internal.addresses[SUPERVISE_NAME]! },
    mounts: [
      { kind: "bind", source: bundle, target: agentPaths.bundle, readOnly: true },
      // A package's post-install script replaces the system store by rename, which a mount would fail.
      ...(writable
        ? [{ kind: "bind" as const, source: `${folder.agent.ca}/local.crt`, target: agentPaths.localStore, readOnly: true }]
        : agentPaths.systemStores.map((target) => ({ kind: "bind" as const, source: bundle, target, readOnly: true }))),
      { kind: "volume", source: "home", target: agentPaths.home, readOnly: false },
      input.workspacePath === undefined
        ? { kind: "volume", source: "workspace", target: agentPaths.workspace, readOnly: false }
        : { kind: "bind", source: input.workspacePath, target: agentPaths.workspace, readOnly: false },
    ],
    tmpfs: { "/tmp": "size=1g,mode=1777,exec", "/run": "size=16m,mode=1777" },
    limits: input.limits,
    readOnlyRoot: !writable,
    // What dpkg needs when the agent is root in its container; without user namespaces these still
    // act only on its own file system.
    capabilities: writable && input.uid === 0 ? ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"] : [],
    runtime: agent.runtime,
    dependsOn: [input.proxyService],
  };
}
