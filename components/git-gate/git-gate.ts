// The gate between the agent and its git upstreams: image, configuration, keys and tokens, service. A
// bottle without upstreams has none.
import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { appliedEnvironment } from "../files/applied.ts";
import { Image } from "../images/image.ts";
import { gitGateImage } from "../images/plan.ts";
import { gitSecretFolder } from "../machine/git-files.ts";
import { nodeScript, quiet } from "../script.ts";
import type { ServiceSpec } from "../service-spec.ts";
import { fileEnvironment, type SharedArgs } from "../shared.ts";
import { GATE_CONFIG, renderGateConfig } from "./config.ts";
import { gitGateService, MIRRORS } from "./service.ts";

export class GitGate extends pulumi.ComponentResource {
  /** undefined where the manifest has no upstreams. */
  readonly service?: ServiceSpec;
  /** Named volumes by key. */
  readonly volumes: Readonly<Record<string, { readonly name: string }>> = {};
  /** What must be there before the container starts. */
  readonly needs: pulumi.Resource[] = [];
  private readonly name: string;
  private readonly args: SharedArgs;
  /** gate.json; a policy reads it in the first preview. */
  private readonly config: string;

  constructor(name: string, args: SharedArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:GitGate", name, {}, options);
    this.name = name;
    this.args = args;
    const { folder, identity, machine, manifest } = args;
    const { git } = manifest;
    this.config = renderGateConfig(git, machine.git, manifest.supervise);
    if (git.upstreams.length > 0) {
      const request = gitGateImage({ ...args, trust: machine.trust.paths }, machine.sidecarUser);
      const image = new Image(`${name}-image`, { request, engineEnvironment: machine.engine.environment }, { parent: this });
      const config = new command.local.Command(
        `${name}-config`,
        {
          create: nodeScript("./apply", import.meta.url),
          environment: {
            ...fileEnvironment(args),
            ...appliedEnvironment(folder, "git-gate-config", join(folder.gitGate.config, GATE_CONFIG), this.config),
            CONFIG_FOLDER: folder.gitGate.config,
            EVIDENCE_FOLDER: folder.gitGate.evidence,
            IMAGE: request.image,
          },
          stdin: this.config,
          ...quiet,
        },
        { parent: this, dependsOn: [image.ready] },
      );
      const secrets = gitSecretFolder(machine.memoryFolder, folder.root);
      this.service = gitGateService({
        image: request.image,
        user: args.owner,
        cpus: machine.cpus,
        git,
        folder,
        subnets: args.subnets,
        secrets,
        tokenVariables: machine.memoryFolder === undefined ? this.tokenVariables : [],
      });
      this.volumes = { [MIRRORS]: { name: `${identity.composeProject}-${MIRRORS}` } };
      this.needs = [image.ready, config, this.secrets(secrets)];
    }
    this.registerOutputs({});
  }

  /** Asks git-gate, once it runs, whether its upstreams let it in; again whenever they or their keys change. */
  check(up: pulumi.Resource): void {
    const { machine } = this.args;
    if (this.service === undefined) return;
    new command.local.Command(
      `${this.name}-check`,
      {
        create: nodeScript("./check", import.meta.url),
        environment: {
          ...machine.engine.environment,
          COMPOSE_PROJECT: this.args.identity.composeProject,
          CONFIG: this.config,
          REVISION: machine.git.revision,
        },
        ...quiet,
        logging: "stderr", // an upstream that is away is told, and fails nothing
      },
      { parent: this, dependsOn: [up] },
    );
  }

  /** The state has the keys' paths and the variables' names, and a random revision. */
  private secrets(folder: string): pulumi.Resource {
    const { args, name } = this;
    return new command.local.Command(
      `${name}-secrets`,
      {
        create: nodeScript("./write-secrets", import.meta.url),
        environment: {
          ...fileEnvironment(args),
          SECRET_FOLDER: folder,
          // Without a folder in memory, tokens stay out of files: the container inherits the variables.
          TOKENS: args.machine.memoryFolder === undefined ? "" : this.tokenVariables.join(","),
          KEY_FILES: JSON.stringify(args.machine.git.keyFiles),
          REVISION: args.machine.git.revision,
        },
        stdin: pulumi.secret(JSON.stringify(Object.fromEntries(args.manifest.gitSecrets))),
        ...quiet,
      },
      { parent: this },
    );
  }

  private get tokenVariables(): string[] {
    return [...new Set(this.args.manifest.git.upstreams.flatMap(({ token }) => (token?.source === "variable" ? [token.id] : [])))].sort();
  }
}
