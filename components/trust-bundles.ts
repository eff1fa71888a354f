// Which roots each container trusts.
import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { nodeScript, quiet } from "./script.ts";
import { fileEnvironment, type SharedArgs } from "./shared.ts";

export interface TrustBundlesArgs extends SharedArgs {
  readonly authorities: { readonly pipelock: CertificateAuthority; readonly egress: CertificateAuthority };
}

/**
 * The agent trusts both of the bottle's CAs from the start, so that its bundle stays the same when
 * the first route puts egress before pipelock. egress trusts pipelock's; all trust the public roots
 * and the machine's extra CAs.
 */
export class TrustBundles extends pulumi.ComponentResource {
  readonly needs: pulumi.Resource[];

  constructor(name: string, args: TrustBundlesArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:TrustBundles", name, {}, options);
    const { folder, machine, authorities } = args;
    const input = pulumi.all([authorities.pipelock.certificatePem, authorities.egress.certificatePem]).apply(([pipelock, egress]) =>
      JSON.stringify({
        files: machine.trust.paths,
        bundles: [
          { path: join(folder.pipelock.trust, "upstream.pem"), roots: true, owned: true, certificates: [] },
          { path: join(folder.egress.trust, "upstream.pem"), roots: true, owned: true, reload: "egress", certificates: [pipelock] },
          ...(args.manifest.git.upstreams.length > 0 ? [{ path: join(folder.gitGate.trust, "upstream.pem"), roots: true, owned: true, certificates: [] }] : []),
          { path: join(folder.agent.ca, "ca-certificates.crt"), roots: true, owned: false, certificates: [egress, pipelock] },
          { path: join(folder.agent.ca, "local.crt"), roots: false, owned: false, certificates: [egress, pipelock] },
        ],
      }),
    );
    const files = new command.local.Command(
      `${name}-trust`,
      {
        create: nodeScript("./files/trust-bundles", import.meta.url),
        environment: { ...fileEnvironment(args), TRUST: machine.trust.hash },
        stdin: input,
        ...quiet,
      },
      { parent: this },
    );
    this.needs = [files];
    this.registerOutputs({});
  }
}
