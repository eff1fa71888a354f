// What the engine tests of the agent share: the claude image, workspace images, containers as a bottle runs them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureImage } from "../../components/images/ensure.ts";
import { agentImage } from "../../components/images/plan.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { readManifest } from "../../components/manifest/manifest.ts";
import { buildWorkspaceImage } from "../../components/agent/workspace.ts";
import { labelled, removeLabelled } from "../lib/cleanup.ts";
import { ok, run, uniqueName } from "../lib/run.ts";

/** Builds the claude preset's image where it is not there yet; tests and bottles share it. */
export async function claudeImage(): Promise<string> {
  const request = agentImage({ manifest: readManifest({}), project: ".", trust: trustFiles(undefined, ".").paths } as Parameters<typeof agentImage>[0]);
  await ensureImage(request);
  return request.image;
}

/** A folder of this machine and everything on the engine that carries `owner`, both gone after `close`. */
export interface Rig {
  readonly owner: string;
  readonly folder: string;
  /** Builds a workspace image. @returns its reference */
  workspace(agentImage: string, source?: string, uid?: number): Promise<string>;
  /** Starts a container as a bottle does: read-only, no capabilities, no network, `sleep infinity`. @returns its name */
  start(image: string, options?: { readonly uid?: number; readonly volumes?: Readonly<Record<string, string>> }): Promise<string>;
  volume(labels?: Readonly<Record<string, string>>): Promise<string>;
  close(): Promise<void>;
}

export function rig(): Rig {
  const owner = uniqueName("agent");
  const folder = mkdtempSync(join(tmpdir(), `${owner}-`));
  let count = 0;
  return {
    owner,
    folder,
    async workspace(agentImage, source, uid = 1000) {
      const image = `${owner}:w${++count}`;
      await buildWorkspaceImage({ image, agentImage, source, uid, gid: uid, labels: { "bottle.test": owner } });
      return image;
    },
    async start(image, { uid = 1000, volumes = {} } = {}) {
      const name = `${owner}-${++count}`;
      const mounts = Object.entries(volumes).flatMap(([target, volume]) => ["--volume", `${volume}:${target}`]);
      const confined = ["--init", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--network", "none", "--pids-limit", "256", "--tmpfs", "/tmp:exec,mode=1777"];
      await ok("docker", ["run", "--detach", "--name", name, ...labelled(owner), ...confined, "--user", `${uid}:${uid}`, "--env", "HOME=/home/agent", ...mounts, image, "sleep", "infinity"]);
      return name;
    },
    async volume(labels = {}) {
      const name = `${owner}-v${++count}`;
      await ok("docker", ["volume", "create", ...labelled(owner), ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]), name]);
      return name;
    },
    async close() {
      await removeLabelled(owner);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs sh in a container. @throws Error with its output where it fails */
export function inside(container: string, script: string): Promise<string> {
  return ok("docker", ["exec", container, "sh", "-c", script], { timeout: 60_000 });
}

/** Runs sh in a new container of an image, without network. */
export function once(image: string, script: string, ...options: string[]): Promise<string> {
  return ok("docker", ["run", "--rm", "--network", "none", ...options, "--entrypoint", "sh", image, "-c", script], { timeout: 60_000 });
}

export { run };
