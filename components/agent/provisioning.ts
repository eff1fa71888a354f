// The manifest → what provisioning puts into the agent's home. Pure but for fingerprints of files.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { contextHash } from "../images/context-hash.ts";
import type { Identity } from "../identity.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { MCP_URL } from "../supervise/config.ts";
import { claudeFiles, claudeMerges, claudeSkillPath, type ClaudeInput } from "./claude.ts";
import { gitSettings, gitPrograms } from "./git-settings.ts";
import { gitFiles, type ProvisionSpec } from "./provision-spec.ts";
import { agentPaths } from "./service.ts";

export interface ProvisioningInput {
  readonly manifest: Manifest;
  readonly identity: Identity;
  /** Absolute path of the Pulumi project; paths of the manifest count from it. */
  readonly project: string;
  readonly container: string;
  readonly uid: number;
  readonly gid: number;
  /** Public half of the key that signs the agent's commits. */
  readonly signingKey?: string;
  /** Absolute host path of a mounted workspace. */
  readonly workspacePath?: string;
}

/** Prompt, skills, git settings, and for the preset what lets Claude Code start at its prompt. */
export function provisionSpec(input: ProvisioningInput): ProvisionSpec {
  const { manifest, identity, project, container, uid, gid, workspacePath } = input;
  const { agent } = manifest;
  const preset = agent.kind === "preset";
  const prompt = agent.prompt === undefined ? undefined : resolve(project, agent.prompt);
  const claude: ClaudeInput = { ...agent.claude, workspace: agentPaths.workspace, prompt, ...(manifest.supervise && { supervise: MCP_URL }) };
  const git = gitFiles(gitSettings(manifest.git, identity, input.signingKey, manifest.supervise));
  return {
    container,
    uid,
    gid,
    home: agentPaths.home,
    files: [...git.files, ...gitPrograms(manifest.git, manifest.supervise), ...(preset ? claudeFiles(claude) : prompt === undefined ? [] : [{ path: "PROMPT.md", sourcePath: prompt }])],
    directories: agent.skills.map((skill) => {
      const sourcePath = resolve(project, skill);
      const name = basename(sourcePath);
      return { path: preset ? claudeSkillPath(name) : join("skills", name), sourcePath };
    }),
    merges: preset ? claudeMerges(claude) : [],
    heads: git.heads,
    systemStore: agent.filesystem === "writable",
    ...(workspacePath === undefined ? {} : { agentWritable: [workspacePath] }),
  };
}

/**
 * Fingerprint of the files that provisioning copies: a changed prompt or skill is a change.
 *
 * @returns 16 hex digits; a file that is missing counts as empty (that is a fault of its own).
 */
export function provisionHash(spec: ProvisionSpec): string {
  const hash = createHash("sha256");
  const read = (part: () => string | Buffer) => {
    try {
      hash.update(part());
    } catch {
      hash.update("missing");
    }
  };
  for (const { sourcePath } of spec.files) if (sourcePath !== undefined) read(() => readFileSync(sourcePath));
  for (const { sourcePath } of spec.directories) read(() => contextHash(sourcePath, sourcePath));
  return hash.digest("hex").slice(0, 16);
}
