// Where the agent asks for access while it runs: image, folders, service. A bottle without
// `supervise: true` has none.
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { Image } from "../images/image.ts";
import { superviseImage } from "../images/plan.ts";
import { nodeScript, quiet } from "../script.ts";
import type { ServiceSpec } from "../service-spec.ts";
import { fileEnvironment, type SharedArgs } from "../shared.ts";
import { superviseService } from "./service.ts";

export class Supervise extends pulumi.ComponentResource {
  /** undefined where the manifest does not ask for it. */
  readonly service?: ServiceSpec;
  /** What must be there before the container starts. */
  readonly needs: pulumi.Resource[] = [];

  constructor(name: string, args: SharedArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:Supervise", name, {}, options);
    const { folder, machine, manifest } = args;
    if (manifest.supervise) {
      const request = superviseImage({ ...args, trust: machine.trust.paths });
      const image = new Image(`${name}-image`, { request, engineEnvironment: machine.engine.environment }, { parent: this });
      const folders = new command.local.Command(
        `${name}-folders`,
        {
          create: nodeScript("./folders", import.meta.url),
          // Those of other sidecars, too: all are mounted from the start, so that what joins later leaves this one running.
          environment: {
            ...fileEnvironment(args),
            FOLDERS: [folder.supervise.requests, folder.supervise.answers, folder.egress.rules, folder.egress.evidence, folder.gitGate.config, folder.gitGate.evidence].join("\n"),
          },
          ...quiet,
        },
        { parent: this },
      );
      this.service = superviseService({ image: request.image, user: args.owner, folder, subnets: args.subnets });
      this.needs = [image.ready, folders];
    }
    this.registerOutputs({});
  }
}
