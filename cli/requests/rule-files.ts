// The files that sidecars read their rules from, and whether each sidecar holds what its file says.
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { poll, runningContainer } from "../../components/compose/container.ts";
import { egressStatus } from "../../components/egress/control.ts";
import { GATE_CONFIG } from "../../components/git-gate/config.ts";
import { run } from "../../components/machine/run.ts";
import { stateFolderAt } from "../../components/state-folder.ts";

/** Where git-gate's own status is, in its container; see its image's README. */
const GATE_STATUS = "/run/git-gate/status.json";
const PATIENCE = 15_000;

/** By the sidecar's name in Compose. */
export type RuleFile = "egress" | "pipelock" | "git-gate";

export interface Rules {
  readonly name: RuleFile;
  readonly content: string;
}

const paths: Record<RuleFile, (root: string) => string> = {
  egress: (root) => join(stateFolderAt(root).egress.rules, "rules.yaml"),
  pipelock: (root) => join(stateFolderAt(root).pipelock.config, "pipelock.yaml"),
  "git-gate": (root) => join(stateFolderAt(root).gitGate.config, GATE_CONFIG),
};

/** Those that are there. */
export function ruleFiles(root: string): Rules[] {
  return (Object.keys(paths) as RuleFile[]).flatMap((name) => {
    const content = readRules(root, name);
    return content === undefined ? [] : [{ name, content }];
  });
}

export function readRules(root: string, name: RuleFile): string | undefined {
  try {
    return readFileSync(paths[name](root), "utf8");
  } catch {
    return undefined;
  }
}

/** The next update finds it missing, and writes it and puts it in force anew. */
export function removeRules(root: string, name: RuleFile): void {
  rmSync(paths[name](root), { force: true });
}

/** Whether a running sidecar says that it holds these rules; what it says otherwise. */
export const holds: Record<RuleFile, (container: string, content: string) => Promise<string | undefined>> = {
  egress: async (container, content) => {
    const status = await egressStatus(container);
    return status?.revision === (parse(content) as { revision: string }).revision && status.error === null ? undefined : `egress has not taken its new rules${status?.error ? `: ${status.error}` : ""}`;
  },
  pipelock: async (container, content) => ((await pipelockHash(container)) === createHash("sha256").update(content).digest("hex") ? undefined : "pipelock has not taken its new configuration"),
  "git-gate": async (container, content) => {
    const { revision } = JSON.parse(content) as { revision: string };
    const { stdout } = await run("docker", ["exec", container, "cat", GATE_STATUS]);
    return stdout.includes(`"revision": "${revision}"`) ? undefined : "git-gate has not taken its new configuration";
  },
};

/** Of these, the sidecars that run and do not hold what their file says, after some patience. */
export async function behind(rules: readonly Rules[], composeProject: string): Promise<RuleFile[]> {
  const each = rules.map(async ({ name, content }) => {
    const container = await runningContainer(composeProject, name);
    if (container === undefined) return [];
    const held = await poll(async () => ((await holds[name](container, content)) === undefined ? true : undefined), PATIENCE, 200);
    return held ? [] : [name];
  });
  return (await Promise.all(each)).flat();
}

/** The configuration that pipelock last said it took, at start or reload. */
async function pipelockHash(container: string): Promise<string | undefined> {
  const { stdout: started } = await run("docker", ["inspect", "--format", "{{.State.StartedAt}}", container]);
  const { stdout, stderr } = await run("docker", ["logs", "--since", started.trim(), container]);
  return [...(stdout + stderr).matchAll(/"[a-z_]*hash":"([0-9a-f]{64})"/g)].at(-1)?.[1];
}
