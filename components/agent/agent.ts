// The agent's side of a bottle: image, workspace, service, provisioning.
import * as pulumi from "@pulumi/pulumi";
import { resolve } from "node:path";
import { Image } from "../images/image.ts";
import { agentImage } from "../images/plan.ts";
import type { ServiceSpec } from "../service-spec.ts";
import type { SharedArgs } from "../shared.ts";
import { agentService } from "./service.ts";

export class Agent extends pulumi.ComponentResource {
  readonly service: ServiceSpec;
  /** Named volumes by key. */
  readonly volumes: Readonly<Record<string, { readonly name: string }>>;
  readonly container: string;
  /** The line that enters the bottle. */
  readonly attach: string;
  /** Run at teardown; sh. */
  readonly saveWork: string;
  readonly needs: pulumi.Resource[];

  constructor(name: string, args: SharedArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:Agent", name, {}, options);
    const { identity, manifest, machine, project } = args;
    const { workspace, limits } = manifest.agent;
    const request = agentImage({ ...args, trust: machine.trust.paths });
    const image = new Image(`${name}-image`, { request, engineEnvironment: machine.engine.environment }, { parent: this });
    const mounted = workspace.mode === "mount" && workspace.path !== undefined ? resolve(project, workspace.path) : undefined;
    this.service = agentService({
      manifest,
      image: request.image,
      ...machine.agentUser,
      limits: { ...limits, cpus: limits.cpus ?? machine.cpus },
      folder: args.folder,
      subnets: args.subnets,
      workspacePath: mounted,
      environment: machine.packages.environment,
      proxyService: args.behindEgress ? "egress" : "pipelock",
    });
    this.volumes = Object.fromEntries(["home", ...(mounted === undefined ? ["workspace"] : [])].map((key) => [key, { name: `${identity.composeProject}-${key}` }]));
    this.container = `${identity.composeProject}-agent-1`;
    const engine = machine.engine.context === undefined ? "docker" : `docker --context ${machine.engine.context}`;
    this.attach = `${engine} exec -it ${this.container} ${manifest.agent.kind === "preset" ? "claude" : "sh"}`;
    this.saveWork = ":";
    this.needs = [image.ready];
    this.registerOutputs({});
  }

  provision(_up: pulumi.Resource): void {}
}
