// A workspace that is mounted is the agent's to read and write: nothing that decides about the bottle may lie in it.
import { realpathSync } from "node:fs";
import { homedir } from "node:os";
import { relative, resolve } from "node:path";
import type { Manifest } from "../manifest/manifest.ts";
import { parseKnownHost } from "../manifest/known-hosts.ts";
import { backendUrl } from "./backend.ts";
import { resolvePath } from "./paths.ts";

/** @returns one fault at most. @param trusted CA files that the sidecars trust */
export function mountFaults(project: string, { agent, git }: Manifest, trusted: readonly string[], environment: NodeJS.ProcessEnv): string[] {
  const { mode, path } = agent.workspace;
  if (mode !== "mount" || path === undefined) return [];
  const workspace = real(resolve(project, path));
  const own = (key: string, file: string | undefined): [string, string][] => (file === undefined ? [] : [[`${key} ("${file}")`, resolvePath(project, file)]]);
  const backend = backendUrl(project, environment);
  const holders: [string, string][] = [
    ["this Pulumi project, with its manifests", project],
    ["your home folder", homedir()],
  ];
  const apart: [string, string][] = [
    ...["state", "node_modules", "components", "policies"].map((name): [string, string] => [`${name}/ of this Pulumi project`, resolve(project, name)]),
    ...(backend.startsWith("file://") ? [["Pulumi's state", backend.slice("file://".length)] as [string, string]] : []),
    ...own("PULUMI_CONFIG_PASSPHRASE_FILE", environment["PULUMI_CONFIG_PASSPHRASE_FILE"] || undefined),
    ...git.upstreams.flatMap(({ url, identityFile, knownHosts }, index) => [
      ...own(`bottle:git.upstreams[${index}].identityFile`, identityFile),
      ...(knownHosts ?? []).flatMap((entry) => ("file" in parseKnownHost(entry) ? own(`bottle:git.upstreams[${index}].knownHosts`, entry) : [])),
      // git runs its hooks and what its configuration names, in git-gate.
      ...(url.transport === "file" ? own(`bottle:git.upstreams[${index}].url`, url.text.replace(/^file:\/\//i, "")) : []),
    ]),
    ...own("bottle:git.signing.identityFile", git.signing?.identityFile),
    ...own("bottle:git.gitleaks", git.gitleaks),
    ...trusted.map((file): [string, string] => [`a CA file that the sidecars trust ("${file}")`, file]),
  ];
  const held = [...holders, ...apart].find(([, file]) => holds(workspace, real(file))) ?? apart.find(([, file]) => holds(real(file), workspace));
  return held === undefined ? [] : [`bottle:agent.workspace: "${path}" is mounted, so the agent could change what it shares with ${held[0]}; set mode: copy, or mount a folder that is apart from it`];
}

function holds(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || !/^\.\.(\/|$)/.test(way);
}

/** Links resolved, as the engine does; what is missing is told elsewhere. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
