// The proxy that holds the agent to its routes and puts credentials on: authority, rules, tokens,
// image, service. A bottle that needs no egress has only the authority, so that the agent's bundle of
// roots stays the same when the first route comes.
import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { CertificateAuthority } from "../certificate-authority.ts";
import { appliedEnvironment } from "../files/applied.ts";
import { Image } from "../images/image.ts";
import { egressImage } from "../images/plan.ts";
import { nodeScript, quiet } from "../script.ts";
import type { ServiceSpec } from "../service-spec.ts";
import { fileEnvironment, type SharedArgs } from "../shared.ts";
import { renderRules } from "./rules.ts";
import { egressService } from "./service.ts";

export class Egress extends pulumi.ComponentResource {
  readonly authority: CertificateAuthority;
  /** undefined where the bottle needs no egress. */
  readonly service?: ServiceSpec;
  /** What must be there before the container starts. */
  readonly needs: pulumi.Resource[];

  constructor(name: string, args: SharedArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:Egress", name, {}, options);
    const { folder, machine } = args;
    this.authority = new CertificateAuthority(
      `${name}-ca`,
      {
        commonName: `bottle ${args.identity.slug} egress`,
        folder: folder.egress.ca,
        owner: args.owner,
        environment: { GENERATION: args.generation },
        // mitmproxy reads key and certificate from one file.
        files: (key, certificate) => ({ "mitmproxy-ca.pem": `${key}${certificate}` }),
      },
      { parent: this },
    );
    this.needs = [this.authority.files];
    if (args.behindEgress) {
      const request = egressImage({ ...args, trust: machine.trust.paths });
      const image = new Image(`${name}-image`, { request, engineEnvironment: machine.engine.environment }, { parent: this });
      const rendered = renderRules(args);
      const rules = new command.local.Command(
        `${name}-rules`,
        {
          create: nodeScript("./apply", import.meta.url),
          environment: {
            ...fileEnvironment(args),
            ...appliedEnvironment(folder, "egress-rules", join(folder.egress.rules, "rules.yaml"), rendered),
            RULES_FOLDER: folder.egress.rules,
            EVIDENCE_FOLDER: folder.egress.evidence,
            IMAGE: request.image,
          },
          stdin: rendered,
          ...quiet,
        },
        { parent: this, dependsOn: [image.ready] },
      );
      this.service = egressService({
        image: request.image,
        user: args.owner,
        cpus: machine.cpus,
        folder,
        subnets: args.subnets,
        supervise: args.manifest.supervise,
        tokenFolder: tokenFolder(args),
        tokenVariables: tokenIds(args, "variable"),
      });
      this.needs.push(image.ready, rules, ...this.tokens(name, args));
    }
    this.registerOutputs({});
  }

  /** Tokens from the environment are read by the Command itself: the state has only a random revision. */
  private tokens(name: string, args: SharedArgs): pulumi.Resource[] {
    const { machine, manifest } = args;
    const folder = tokenFolder(args);
    if (folder === undefined) return [];
    return [
      new command.local.Command(
        `${name}-tokens`,
        {
          create: nodeScript("./write-tokens", import.meta.url),
          environment: {
            ...machine.engine.environment,
            COMPOSE_PROJECT: args.identity.composeProject,
            OWNER: args.owner,
            TOKEN_FOLDER: folder,
            TOKENS: tokenIds(args, "variable").join(","),
            REVISION: machine.tokenRevision,
          },
          stdin: pulumi.secret(JSON.stringify(Object.fromEntries(manifest.secrets))),
          ...quiet,
        },
        { parent: this },
      ),
    ];
  }
}

function tokenFolder({ machine: { memoryFolder } }: SharedArgs): string | undefined {
  return memoryFolder && join(memoryFolder, "egress");
}

function tokenIds({ routes }: SharedArgs, source: "variable" | "secret"): string[] {
  return [...new Set(routes.flatMap(({ auth }) => (auth?.source === source ? [auth.token] : [])))].sort();
}
