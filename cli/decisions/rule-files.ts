// The files that sidecars read their rules from, and whether each sidecar holds what its file says.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { poll, runningContainer } from "../../components/compose/container.ts";
import { readIfThere } from "../../components/files/read-if-there.ts";
import { egressStatus } from "../../components/egress/control.ts";
import { GATE_CONFIG } from "../../components/git-gate/config.ts";
import { holdsGateConfig } from "../../components/git-gate/control.ts";
import { holdsConfig } from "../../components/pipelock/control.ts";
import { stateFolderAt } from "../../components/state-folder.ts";

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
  return readIfThere(paths[name](root));
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
  pipelock: async (container, content) => ((await holdsConfig(container, content)) ? undefined : "pipelock has not taken its new configuration"),
  "git-gate": async (container, content) => ((await holdsGateConfig(container, content)) ? undefined : "git-gate has not taken its new configuration"),
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
