// The agent's image with the workspace in it: what the workspace volume is seeded with.
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { nodeScript, quiet } from "../script.ts";
import type { SharedArgs } from "../shared.ts";
import type { WorkspaceBuild } from "./workspace.ts";

export interface WorkspaceImageArgs extends SharedArgs {
  /** Reference of the agent's image. */
  readonly agentImage: string;
}

/**
 * Built once and kept: what the host's directory becomes later changes nothing in a running bottle,
 * unless `workspace.seed` asks for it (a rebuilt image never reaches an existing volume anyway).
 */
export class WorkspaceImage extends pulumi.ComponentResource {
  readonly image: string;
  /** Six hex digits that name what the volume was seeded with. */
  readonly seed: string;
  readonly ready: command.local.Command;

  constructor(name: string, args: WorkspaceImageArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:WorkspaceImage", name, {}, options);
    const { identity, machine, project } = args;
    const { mode, path, seed } = args.manifest.agent.workspace;
    const source = mode === "copy" && path !== undefined ? resolve(project, path) : undefined;
    const { uid, gid } = machine.agentUser;
    this.seed = digest([source, seed]).slice(0, 6);
    this.image = `${identity.composeProject}-workspace:${digest([args.agentImage, uid, gid, source, seed]).slice(0, 16)}`;
    const build: WorkspaceBuild = { image: this.image, agentImage: args.agentImage, source, uid, gid, labels: identity.labels };
    this.ready = new command.local.Command(
      name,
      {
        create: nodeScript("./ensure-workspace-image", import.meta.url),
        environment: { ...machine.engine.environment },
        stdin: JSON.stringify(build),
        ...quiet,
        logging: "stderr",
      },
      { parent: this, ...(options?.dependsOn && { dependsOn: options.dependsOn }) },
    );
    this.registerOutputs({});
  }
}

function digest(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
