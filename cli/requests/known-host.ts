// Whether git-gate could tell an upstream's host from another that answers in its place.
import { parseDocument } from "yaml";
import { lookAtGitFiles } from "../../components/machine/git-files.ts";
import { gatePath, parseGitUrl } from "../../components/manifest/git-url.ts";
import { lookupName } from "../../components/manifest/known-hosts.ts";
import { readManifest } from "../../components/manifest/manifest.ts";
import { configOf } from "../manifest/manifest-text.ts";
import type { Obstacle } from "./proposal.ts";
import type { GitChange } from "./request.ts";

/**
 * Why it could not; git-gate itself would say so only after the update.
 *
 * @param manifest its text, with the change in it.
 */
export function unknownHost(manifest: string, id: string, change: GitChange, project: string, environment: NodeJS.ProcessEnv): Obstacle | undefined {
  const { git } = readManifest(configOf(parseDocument(manifest)));
  const path = change.kind === "git-upstream" ? gatePath(parseGitUrl(change.change.url)) : undefined;
  const upstream = git.upstreams.find(({ name, url }) => (path === undefined ? name === (change as { change: { upstream: string } }).change.upstream : gatePath(url) === path));
  if (upstream?.url.transport !== "ssh") return undefined;
  const { knownHosts, faults } = lookAtGitFiles({ ...git, upstreams: [upstream], signing: undefined, gitleaks: undefined }, new Map(), project, project, environment);
  if (knownHosts[upstream.name] !== "" || faults.some((fault) => fault.includes(".knownHosts:"))) return undefined;
  const { host, port } = upstream.url;
  return {
    problem: `git-gate cannot tell that ${lookupName(upstream.url)} is what it says: no host key of it is known`,
    mend: `Compare with what its owner publishes (ssh-keyscan ${port === undefined ? "" : `-p ${port} `}${host} shows what it offers), then: bottle approve ${id} … --known-hosts "ssh-ed25519 AAAA…"`,
  };
}
