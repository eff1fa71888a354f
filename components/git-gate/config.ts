// The manifest's git upstreams → gate.json, which git-gate reads (image/README.md). Pure.
import { createHash } from "node:crypto";
import type { GitFiles } from "../machine/git-files.ts";
import { keyId, SIGNING_KEY_ID } from "../machine/git-files.ts";
import type { Git, GitUpstream } from "../manifest/manifest.ts";
import { gatePath } from "../manifest/git-url.ts";

/** Where git-gate finds its files inside its container. */
export const gatePaths = {
  config: "/etc/git-gate/config",
  trust: "/etc/git-gate/trust",
  secrets: "/run/secrets/git-gate",
  mirrors: "/srv/git",
  evidence: "/var/log/git-gate",
  /** What it says of itself. */
  status: "/run/git-gate/status.json",
  /** Where upstreams of transport file are, by name. */
  upstreams: "/upstreams",
} as const;

export const GATE_CONFIG = "gate.json";

/** Name and ports under which the agent finds git-gate. */
export const GATE_NAME = "git-gate";
export const GIT_PORT = 9418;
export const SIGNING_PORT = 9419;

/**
 * Renders gate.json. It holds no key and no token, only their ids; a policy reads it in the first preview.
 *
 * @param supervise whether the agent may ask for more: refusals then say how.
 */
export function renderGateConfig(git: Git, files: Pick<GitFiles, "knownHosts" | "gitleaks">, supervise = false): string {
  const content = {
    ...(supervise && { ask: true }),
    upstreams: git.upstreams.map((upstream, index) => renderUpstream(upstream, index, files.knownHosts[upstream.name])),
    gitleaks: files.gitleaks ?? null,
    limits: {
      pack_bytes: git.limits.pack,
      file_bytes: git.limits.file,
      refs: git.limits.refs,
      scan_seconds: git.limits.scanSeconds,
      connections: git.limits.connections,
    },
    signing: git.signing ? { key: SIGNING_KEY_ID } : null,
  };
  const revision = createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
  return `${JSON.stringify({ revision, ...content }, null, 2)}\n`;
}

function renderUpstream(upstream: GitUpstream, index: number, knownHosts: string | undefined): object {
  const { name, url, identityFile, token, push, serveStale } = upstream;
  return {
    id: name,
    path: gatePath(url),
    url: url.transport === "file" ? `file://${gatePaths.upstreams}/${name}` : url.text,
    transport: url.transport,
    key: identityFile === undefined ? null : keyId(upstream),
    known_hosts: knownHosts ?? null,
    token: token === undefined ? null : { id: token.id, username: token.username },
    push: push === undefined ? null : { branches: push.branches, tags: push.tags, delete: push.delete, force: push.force },
    serve_stale: serveStale,
    config_key: `bottle:git.upstreams[${index}]`,
  };
}
