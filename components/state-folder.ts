// Where a bottle's files lie on the host. Pure.
import { join } from "node:path";

/** Absolute paths under `state/<slug>/`. Folders that a container mounts are owned by its uid. */
export interface StateFolder {
  readonly root: string;
  readonly composeFile: string;
  readonly metadata: string;
  readonly pipelock: { readonly config: string; readonly ca: string; readonly trust: string; readonly evidence: string };
  readonly egress: { readonly rules: string; readonly ca: string; readonly trust: string; readonly evidence: string };
  readonly gitGate: { readonly config: string; readonly trust: string; readonly evidence: string };
  /** What the agent asks for, and what was answered. */
  readonly supervise: { readonly requests: string; readonly answers: string };
  readonly agent: { readonly ca: string };
}

/** @param project absolute path of the Pulumi project (where Pulumi.yaml is). */
export function stateFolder(project: string, slug: string): StateFolder {
  return stateFolderAt(join(project, "state", slug));
}

/** @param root absolute path of `state/<slug>`. */
export function stateFolderAt(root: string): StateFolder {
  return {
    root,
    composeFile: join(root, "docker-compose.yml"),
    metadata: join(root, "metadata.json"),
    pipelock: { config: join(root, "pipelock", "config"), ca: join(root, "pipelock", "ca"), trust: join(root, "pipelock", "trust"), evidence: join(root, "evidence", "pipelock") },
    egress: { rules: join(root, "egress", "rules"), ca: join(root, "egress", "ca"), trust: join(root, "egress", "trust"), evidence: join(root, "evidence", "egress") },
    gitGate: { config: join(root, "git-gate", "config"), trust: join(root, "git-gate", "trust"), evidence: join(root, "evidence", "git-gate") },
    supervise: { requests: join(root, "supervise", "requests"), answers: join(root, "supervise", "answers") },
    agent: { ca: join(root, "agent", "ca") },
  };
}

/** Files under `state/<slug>/` that outlive `destroy`: what people want afterwards, and the record of a decision that was cut off. Shell patterns. */
export const keptFiles: readonly string[] = ["compose.log*", "work-*", "audit*.jsonl", "evidence", "deciding.json"];
