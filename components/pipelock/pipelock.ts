// The agent firewall of a bottle: its authority, its configuration, its image, its service.
import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { CertificateAuthority } from "../certificate-authority.ts";
import { appliedEnvironment } from "../files/applied.ts";
import { Image } from "../images/image.ts";
import { pipelockImage } from "../images/plan.ts";
import { nodeScript, quiet } from "../script.ts";
import type { ServiceSpec } from "../service-spec.ts";
import { fileEnvironment, type SharedArgs } from "../shared.ts";
import { guestRange } from "../subnets.ts";
import { renderPipelockConfig } from "./config.ts";
import { pipelockService } from "./service.ts";

export class Pipelock extends pulumi.ComponentResource {
  readonly authority: CertificateAuthority;
  readonly service: ServiceSpec;
  /** What must be there before the container starts. */
  readonly needs: pulumi.Resource[];

  constructor(name: string, args: SharedArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:Pipelock", name, {}, options);
    const { folder, machine, hosts, routes } = args;
    const request = pipelockImage({ ...args, trust: machine.trust.paths });
    const image = new Image(`${name}-image`, { request, engineEnvironment: machine.engine.environment }, { parent: this });
    this.authority = new CertificateAuthority(
      `${name}-ca`,
      {
        commonName: `bottle ${args.identity.slug} pipelock`,
        folder: folder.pipelock.ca,
        owner: args.owner,
        environment: { GENERATION: args.generation },
        files: (key, certificate) => ({ "ca-key.pem": key, "ca.pem": certificate }),
      },
      { parent: this },
    );
    const rendered = renderPipelockConfig({ guests: guestRange(args.subnets), hosts, routes });
    const config = new command.local.Command(
      `${name}-config`,
      {
        create: nodeScript("./apply", import.meta.url),
        environment: {
          ...fileEnvironment(args),
          ...appliedEnvironment(folder, "pipelock-config", join(folder.pipelock.config, "pipelock.yaml"), rendered),
          CONFIG_FOLDER: folder.pipelock.config,
          CA_FOLDER: folder.pipelock.ca,
          EVIDENCE_FOLDER: folder.pipelock.evidence,
          IMAGE: request.image,
        },
        stdin: rendered,
        ...quiet,
      },
      { parent: this, dependsOn: [image.ready, this.authority.files] },
    );
    this.service = pipelockService({ ...args, image: request.image, user: args.owner, cpus: machine.cpus });
    this.needs = [image.ready, this.authority.files, config];
    this.registerOutputs({});
  }
}
