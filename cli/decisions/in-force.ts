// Whether a granted rule is in force: the sidecars themselves are asked; what was written for them is not enough.
import { parse } from "yaml";
import { poll, runningContainer } from "../../components/compose/container.ts";
import { identify } from "../../components/identity.ts";
import { gatePath, parseGitUrl } from "../../components/manifest/git-url.ts";
import { readMetadata } from "../fleet/metadata.ts";
import { stateRoot, type Project } from "../project.ts";
import { isGit, type Change, type GitChange, type ProxyChange } from "../requests/request.ts";
import { holds, readRules } from "./rule-files.ts";

const PATIENCE = 15_000;

export interface Place {
  /** `state/<slug>`. */
  readonly root: string;
  readonly composeProject: string;
}

export function placeOf(project: Project, stack: string): Place {
  const root = stateRoot(project, stack);
  // Only `up` knows the stack's organisation; where nothing is up there is nothing to be asked either.
  return { root, composeProject: readMetadata(root).compose_project ?? identify(project.backend, "organization", project.name, stack).composeProject };
}

/** @returns undefined once every sidecar that the change concerns says that it holds; else what does not. */
export async function notInForce(place: Place, change: Change): Promise<string | undefined> {
  let reason: string | undefined;
  const done = await poll(async () => {
    reason = isGit(change) ? await gateLacks(place, change) : await proxiesLack(place, change);
    return reason === undefined ? true : undefined;
  }, PATIENCE, 200);
  return done ? undefined : reason;
}

async function proxiesLack({ root, composeProject }: Place, change: ProxyChange): Promise<string | undefined> {
  const { host } = change.change;
  const pipelock = await runningContainer(composeProject, "pipelock");
  if (pipelock === undefined) return "pipelock does not run";
  const config = readRules(root, "pipelock") ?? "{}";
  const { api_allowlist: allowed = [] } = (parse(config) ?? {}) as { api_allowlist?: string[] };
  if (!allowed.includes(host)) return "pipelock's configuration does not name the host";
  const behind = await holds.pipelock(pipelock, config);
  if (behind !== undefined) return behind;

  const egress = await runningContainer(composeProject, "egress");
  if (egress === undefined) return change.kind === "route" ? "egress does not run" : undefined;
  const text = readRules(root, "egress") ?? "{}";
  const rules = parse(text) as { hosts?: { host: string }[]; routes?: { host: string }[] };
  // A host that has routes is allowed as a whole by further ones.
  if (![...(rules.hosts ?? []), ...(rules.routes ?? [])].some((rule) => rule.host === host)) return "egress's rules do not name the host";
  return holds.egress(egress, text);
}

async function gateLacks({ root, composeProject }: Place, change: GitChange): Promise<string | undefined> {
  const container = await runningContainer(composeProject, "git-gate");
  if (container === undefined) return "git-gate does not run";
  const text = readRules(root, "git-gate");
  if (text === undefined) return "git-gate has no configuration";
  type Gate = { upstreams: { id: string; path: string; push: { branches: string[]; tags: string[] } | null }[] };
  const path = change.kind === "git-upstream" ? gatePath(parseGitUrl(change.change.url)) : undefined;
  const upstream = (JSON.parse(text) as Gate).upstreams.find((each) => (change.kind === "git-upstream" ? each.path === path : each.id === change.change.upstream));
  if (upstream === undefined) return "git-gate's configuration does not name the upstream";
  const { branches = [], tags = [] } = (change.kind === "git-upstream" ? change.change.push : change.change) ?? {};
  if (![...branches].every((each) => upstream.push?.branches.includes(each)) || ![...tags].every((each) => upstream.push?.tags.includes(each))) return "git-gate's configuration does not name the branches";
  return holds["git-gate"](container, text);
}
