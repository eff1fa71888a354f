// Whether a granted rule is in force: the sidecars themselves are asked; what was written for them is not enough.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { poll, runningContainer } from "../../components/compose/container.ts";
import { egressStatus } from "../../components/egress/control.ts";
import { GATE_CONFIG, GATE_NAME } from "../../components/git-gate/config.ts";
import { run } from "../../components/machine/run.ts";
import { gatePath, parseGitUrl } from "../../components/manifest/git-url.ts";
import { stateFolder } from "../../components/state-folder.ts";
import { isGit, type Change, type GitChange, type ProxyChange } from "./request.ts";

/** Where git-gate's own status is, in its container; see its image's README. */
const GATE_STATUS = "/run/git-gate/status.json";
const PATIENCE = 15_000;

export interface Place {
  /** Folder of the Pulumi project, and the stack's slug. */
  readonly project: string;
  readonly slug: string;
  readonly composeProject: string;
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

async function proxiesLack({ project, slug, composeProject }: Place, change: ProxyChange): Promise<string | undefined> {
  const folder = stateFolder(project, slug);
  const { host } = change.change;
  const pipelock = await runningContainer(composeProject, "pipelock");
  if (pipelock === undefined) return "pipelock does not run";
  const config = read(join(folder.pipelock.config, "pipelock.yaml"));
  const { api_allowlist: allowed = [] } = (parse(config) ?? {}) as { api_allowlist?: string[] };
  if (!allowed.includes(host)) return "pipelock's configuration does not name the host";
  if ((await pipelockHash(pipelock)) !== createHash("sha256").update(config).digest("hex")) return "pipelock has not taken its new configuration";

  const egress = await runningContainer(composeProject, "egress");
  if (egress === undefined) return change.kind === "route" ? "egress does not run" : undefined;
  const rules = parse(read(join(folder.egress.rules, "rules.yaml"))) as { revision: string; hosts?: { host: string }[]; routes?: { host: string }[] };
  // A host that has routes is allowed as a whole by further ones.
  if (![...(rules.hosts ?? []), ...(rules.routes ?? [])].some((rule) => rule.host === host)) return "egress's rules do not name the host";
  const status = await egressStatus(egress);
  return status?.revision === rules.revision && status.error === null ? undefined : `egress has not taken its new rules${status?.error ? `: ${status.error}` : ""}`;
}

/** The configuration that pipelock last said it took, at start or reload. */
async function pipelockHash(container: string): Promise<string | undefined> {
  const { stdout: started } = await run("docker", ["inspect", "--format", "{{.State.StartedAt}}", container]);
  const { stdout, stderr } = await run("docker", ["logs", "--since", started.trim(), container]);
  return [...(stdout + stderr).matchAll(/"[a-z_]*hash":"([0-9a-f]{64})"/g)].at(-1)?.[1];
}

async function gateLacks({ project, slug, composeProject }: Place, change: GitChange): Promise<string | undefined> {
  const container = await runningContainer(composeProject, GATE_NAME);
  if (container === undefined) return "git-gate does not run";
  type Gate = { revision: string; upstreams: { id: string; path: string; push: { branches: string[]; tags: string[] } | null }[] };
  const { revision, upstreams } = JSON.parse(read(join(stateFolder(project, slug).gitGate.config, GATE_CONFIG))) as Gate;
  const path = change.kind === "git-upstream" ? gatePath(parseGitUrl(change.change.url)) : undefined;
  const upstream = upstreams.find((each) => (change.kind === "git-upstream" ? each.path === path : each.id === change.change.upstream));
  if (upstream === undefined) return "git-gate's configuration does not name the upstream";
  const { branches = [], tags = [] } = (change.kind === "git-upstream" ? change.change.push : change.change) ?? {};
  if (![...branches].every((each) => upstream.push?.branches.includes(each)) || ![...tags].every((each) => upstream.push?.tags.includes(each))) return "git-gate's configuration does not name the branches";
  const { stdout } = await run("docker", ["exec", container, "cat", GATE_STATUS]);
  return stdout.includes(`"revision": "${revision}"`) ? undefined : "git-gate has not taken its new configuration";
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "{}";
  }
}
