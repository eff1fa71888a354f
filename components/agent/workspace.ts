// Builds the image that a bottle's home and workspace volumes are seeded from: the agent's image, the
// user's working tree, and both folders owned by the agent's uid.
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { shown } from "../images/progress.ts";
import { run } from "../machine/run.ts";
import { type Ignores, parseDockerignore } from "./dockerignore.ts";
import { makeDirectory, withStagingFolder } from "./staging-folder.ts";
import { agentPaths } from "./service.ts";
import { stageTree } from "./workspace-tree.ts";

export interface WorkspaceBuild {
  /** Reference to build under. */
  readonly image: string;
  /** Reference or id of the agent's image, in the engine's store. */
  readonly agentImage: string;
  /** Absolute host path whose tree is copied; undefined: an empty workspace. */
  readonly source?: string;
  readonly uid: number;
  readonly gid: number;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Only COPY, no RUN: it works on any image, one without a shell too. Files that .dockerignore names
 * are left out of the tree; repositories come apart, as .dockerignore files commonly name `.git`.
 * The folders come as sub-folders: COPY gives a new owner to those, not to its target.
 */
const dockerfile = (owner: string) => `ARG AGENT_IMAGE
FROM \${AGENT_IMAGE}
COPY --chown=${owner} --from=folders home/ ${dirname(agentPaths.home)}/
COPY --chown=${owner} --from=folders root/ /
COPY --chown=${owner} . ${agentPaths.workspace}/
COPY --chown=${owner} --from=repositories . ${agentPaths.workspace}/
USER ${owner}
WORKDIR ${agentPaths.workspace}
`;

/**
 * Stages the tree and builds. Progress goes to stderr.
 *
 * @throws Error naming the key or the image, the problem and the mend: workspace missing, git or
 *   Docker missing, disk full, file not readable, or the build's last lines.
 */
export async function buildWorkspaceImage(build: WorkspaceBuild): Promise<void> {
  const { source } = build;
  if (source !== undefined && !statSync(source, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`bottle:agent.workspace.path: "${source}" is not a directory; give one, or set workspace.mode: none`);
  }
  try {
    await withStagingFolder(source, async (folder) => {
      const at = (name: string) => join(folder, name);
      for (const name of ["tree", "repositories", "scratch", "folders/home/agent", "folders/root/workspace"]) makeDirectory(at(name));
      mkdirSync(at("build"));
      writeFileSync(at("build/Dockerfile"), dockerfile(`${build.uid}:${build.gid}`));
      if (source !== undefined) await stage(source, at);
      await buildImage(build, at);
    });
  } catch (error) {
    throw explained(error, build);
  }
}

async function stage(source: string, at: (name: string) => string): Promise<void> {
  const started = Date.now();
  let ignores: Ignores | undefined;
  const dockerignore = join(source, ".dockerignore");
  if (existsSync(dockerignore)) {
    // Beside the Dockerfile it counts even where git ignores the file itself.
    copyFileSync(dockerignore, at("build/Dockerfile.dockerignore"));
    ignores = parseDockerignore(readFileSync(dockerignore, "utf8"));
  }
  const { files, bytes } = await stageTree({ source, tree: at("tree"), repositories: at("repositories"), scratch: at("scratch"), ignores });
  process.stderr.write(`workspace: ${files} files, ${(bytes / 1e6).toFixed(1)} MB, of ${source} in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

async function buildImage({ image, agentImage, labels }: WorkspaceBuild, at: (name: string) => string): Promise<void> {
  const args = [
    ...["buildx", "build", "--load", "--progress", "plain", "--provenance=false", "--tag", image],
    ...["--file", at("build/Dockerfile"), "--build-arg", `AGENT_IMAGE=${agentImage}`],
    ...["--build-context", `folders=${at("folders")}`, "--build-context", `repositories=${at("repositories")}`],
    ...Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
    at("tree"),
  ];
  const { code, stderr } = await run("docker", args, { onOutput: shown(image) });
  if (code === 0) return;
  if (code === 127) throw new Error("docker is not installed on this machine; `npm start` sets it up");
  throw new Error(stderr.trim().split("\n").slice(-8).map((line) => line.slice(0, 300)).join("\n"));
}

function explained(error: unknown, { image, source }: WorkspaceBuild): Error {
  const message = error instanceof Error ? error.message : String(error);
  const what = source === undefined ? `image ${image}` : `image ${image} with the tree of ${source}`;
  if (/no space left on device|ENOSPC/i.test(message)) {
    return new Error(`${what}: the disk is full; free some room (docker system df shows what Docker holds) and run \`pulumi up\` again\n${message}`);
  }
  if (/EACCES|permission denied/i.test(message) && source !== undefined) {
    return new Error(`${what}: a file cannot be read; make it readable, or name it in .gitignore or .dockerignore\n${message}`);
  }
  return message.startsWith("bottle:") ? (error as Error) : new Error(`${what}: ${message}`);
}
