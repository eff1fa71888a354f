// The agent's side of a bottle: image, workspace, service, provisioning.
import { resolve } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { Image } from "../images/image.ts";
import { agentImage } from "../images/plan.ts";
import { nodeScript, quiet } from "../script.ts";
import type { ServiceSpec } from "../service-spec.ts";
import { dockerCommand } from "../machine/engine.ts";
import type { Manifest } from "../manifest/manifest.ts";
import type { SharedArgs } from "../shared.ts";
import { claudeEnvironment } from "./claude.ts";
import { provisionHash, provisionSpec } from "./provisioning.ts";
import { renderSaveWork, workspaceLabels } from "./save-work.ts";
import { agentService } from "./service.ts";
import { WorkspaceImage } from "./workspace-image.ts";

export class Agent extends pulumi.ComponentResource {
  readonly service: ServiceSpec;
  /** Named volumes by key. */
  readonly volumes: Readonly<Record<string, { readonly name: string; readonly labels?: Readonly<Record<string, string>> }>>;
  readonly container: string;
  /** The line that enters the bottle. */
  readonly attach: string;
  /** Run at teardown; sh. */
  readonly saveWork: string;
  readonly needs: pulumi.Resource[];
  private readonly name: string;
  private readonly args: SharedArgs;

  constructor(name: string, args: SharedArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:Agent", name, {}, options);
    const { identity, manifest, machine, project } = args;
    const { limits } = manifest.agent;
    this.name = name;
    this.args = args;
    const request = agentImage({ ...args, trust: machine.trust.paths });
    const image = new Image(`${name}-image`, { request, engineEnvironment: machine.engine.environment }, { parent: this });
    const mounted = mountedWorkspace(manifest, project);
    const workspace = new WorkspaceImage(`${name}-workspace`, { ...args, agentImage: request.image }, { parent: this, dependsOn: [image.ready] });
    this.service = agentService({
      manifest,
      image: workspace.image,
      ...machine.agentUser,
      limits: { ...limits, cpus: limits.cpus ?? machine.cpus },
      folder: args.folder,
      subnets: args.subnets,
      workspacePath: mounted,
      environment: { ...machine.packages.environment, ...(manifest.agent.kind === "preset" && claudeEnvironment(manifest.agent.claude.login)) },
      proxyService: args.behindEgress ? "egress" : "pipelock",
    });
    this.volumes = {
      home: { name: `${identity.composeProject}-home` },
      // Another path or seed is another volume: the agent's work in the old one stays until destroy saves it.
      ...(mounted === undefined && { workspace: { name: `${identity.composeProject}-workspace-${workspace.seed}`, labels: workspaceLabels } }),
    };
    this.container = `${identity.composeProject}-agent-1`;
    const engine = dockerCommand(machine.engine);
    this.attach = `${engine} exec -it ${this.container} ${manifest.agent.kind === "preset" ? "claude" : "sh"}`;
    this.saveWork = mounted === undefined ? renderSaveWork({ identity, image: workspace.image, ...machine.agentUser }) : ":";
    this.needs = [image.ready, workspace.ready];
    this.registerOutputs({});
  }

  /** Copies prompt, skills and settings into the running agent, and again whenever they change. */
  provision(up: pulumi.Resource): void {
    const { args, name } = this;
    const { manifest, machine, project } = args;
    const spec = provisionSpec({ ...args, ...machine.agentUser, container: this.container, signingKey: machine.git.signingKey, workspacePath: mountedWorkspace(manifest, project) });
    new command.local.Command(
      `${name}-provision`,
      {
        create: nodeScript("./provision", import.meta.url),
        environment: { ...machine.engine.environment, CONTENT: provisionHash(spec), ...(machine.drift.agentRepair !== undefined && { REPAIR: machine.drift.agentRepair }) },
        stdin: JSON.stringify(spec),
        ...quiet,
      },
      { parent: this, dependsOn: [up] },
    );
  }
}

/** Absolute host path of the workspace in mode mount. */
function mountedWorkspace(manifest: Manifest, project: string): string | undefined {
  const { mode, path } = manifest.agent.workspace;
  return mode === "mount" && path !== undefined ? resolve(project, path) : undefined;
}
