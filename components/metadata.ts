// metadata.json: what other tools (a dashboard, a cleaner) need to find and drive a bottle without
// knowing our naming. `created_at` is added by the `up` that makes it.
import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { networkName, type Networks } from "./networks.ts";
import type { SharedArgs } from "./shared.ts";
import type { NetworkRole } from "./subnets.ts";

/** Version of the file's own format. */
const FORMAT = 1;

export interface MetadataArgs extends SharedArgs {
  readonly networks: Networks;
  readonly agentContainer: string;
  readonly authorities: Readonly<Record<string, CertificateAuthority>>;
}

export function metadata(args: MetadataArgs): pulumi.Output<object> {
  const { identity, machine, manifest, networks } = args;
  return pulumi.all([networks.ids, networks.subnets, authorityFingerprints(args.authorities, machine.trust.hash)]).apply(([ids, subnets, authorities]) => ({
    format: FORMAT,
    slug: identity.slug,
    stack: identity.stack,
    project: identity.project,
    instance: identity.instance,
    backend: args.pulumi.backend,
    organization: args.pulumi.organization,
    compose_project: identity.composeProject,
    compose_file: args.folder.composeFile,
    engine: machine.engine.environment,
    agent_container: args.agentContainer,
    networks: Object.fromEntries(
      Object.entries(ids).map(([role, id]) => [
        role,
        { id, name: networkName(identity, role as NetworkRole), internal: role !== "egress", subnet: args.subnets[role as NetworkRole].cidr, engine_subnets: subnets[role] },
      ]),
    ),
    subnet: machine.subnet,
    authorities,
    git_upstreams: manifest.git.upstreams.map(({ name, url }) => ({ name, url: url.text })),
    versions: { pipelock: manifest.images.pipelock, base: manifest.images.base, ...(manifest.agent.kind === "preset" && { claude_code: manifest.agent.claude.version }) },
  }));
}

/** A service reads its CA key and its roots at start only: a new fingerprint tells `up` to restart it. */
function authorityFingerprints(authorities: Readonly<Record<string, CertificateAuthority>>, trust: string): pulumi.Output<Record<string, string>> {
  return pulumi
    .all(Object.entries(authorities).map(([name, authority]) => authority.certificatePem.apply((pem) => [name, createHash("sha256").update(pem).update(trust).digest("hex").slice(0, 16)] as const)))
    .apply((entries) => Object.fromEntries(entries));
}
