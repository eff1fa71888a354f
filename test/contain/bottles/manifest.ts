// The manifests of the suite's two bottles.
import type { Manifest } from "../../lib/e2e-project.ts";
import { names, rebindPattern } from "../outside.ts";

export const API_VARIABLE = "CONTAIN_API_TOKEN";
export const CLAUDE_VARIABLE = "ANTHROPIC_API_KEY";

export interface ManifestInput {
  /** Port of the listener outside. */
  readonly port: number;
  readonly runtime: string;
  /** Relative to the project, or absolute. */
  readonly workspace: string;
  /** Bare repository; absent: no git upstream. */
  readonly gitUpstream?: string;
  readonly trust: { caFiles: string[] };
}

/** Everything that a bottle can have: hosts of each kind, routes of each kind, credentials, a workspace, a place to ask. */
export function fullManifest({ port, runtime, workspace, gitUpstream, trust }: ManifestInput): Manifest {
  return {
    agent: { preset: "claude", claude: { login: "api-key" }, workspace: { path: workspace }, runtime, limits: { memory: "1g", pids: 512 } },
    network: {
      hosts: [names.docs, { host: names.files, inspect: false }, { host: "*.wild.contain.test", inspect: false }],
      routes: [
        { name: "api", host: names.api, inspect: false, methods: ["GET", "POST"], paths: ["/v1/**"], auth: { variable: API_VARIABLE, header: "x-api-key", scheme: "raw" } },
        { name: "repo", host: names.repo, methods: ["GET"], paths: ["/repos/org/*"], query: { kind: "open-*" } },
        { name: "rebind", host: rebindPattern, scheme: "http", port, inspect: false },
      ],
    },
    ...(gitUpstream !== undefined && { git: { upstreams: [{ name: "work", url: `file://${gitUpstream}`, push: { branches: ["agent/**"] } }] } }),
    supervise: true,
    trust,
  };
}

/** Hosts only: pipelock is the agent's proxy, without egress before it. Small, so that its limits are soon reached. */
export function plainManifest({ runtime, trust }: Pick<ManifestInput, "runtime" | "trust">): Manifest {
  return {
    agent: { preset: "claude", claude: { login: "none" }, runtime, limits: { memory: "256m", pids: 64 } },
    network: { hosts: [names.docs] },
    trust,
  };
}
