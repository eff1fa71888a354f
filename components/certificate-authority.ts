// A certificate authority of one bottle's one sidecar.
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { nodeScript, quiet } from "./script.ts";

export interface CertificateAuthorityArgs {
  /** Common name, shown to people who look at a certificate. */
  readonly commonName: string;
  /** Host folder for the key files, 0700. */
  readonly folder: string;
  /** `uid:gid` of the container that reads them. */
  readonly owner: string;
  /** Environment that makes the files anew when it changes. */
  readonly environment: Record<string, string>;
  /** Which files its reader wants, from key and certificate in PEM. */
  readonly files: (keyPem: string, certificatePem: string) => Record<string, string>;
}

const HOURS_A_DAY = 24;

/**
 * ECDSA P-256 (pipelock takes no other), signs certificates and nothing else, renewed by the first
 * `up` in the last 30 of its 365 days. The key is in Pulumi's state as a secret, and in one
 * 0600 file of its reader.
 */
export class CertificateAuthority extends pulumi.ComponentResource {
  /** PEM, public. */
  readonly certificatePem: pulumi.Output<string>;
  /** Settled once the key files are written. */
  readonly files: command.local.Command;

  constructor(name: string, args: CertificateAuthorityArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:CertificateAuthority", name, {}, options);
    const key = new tls.PrivateKey(name, { algorithm: "ECDSA", ecdsaCurve: "P256" }, { parent: this });
    const certificate = new tls.SelfSignedCert(
      name,
      {
        privateKeyPem: key.privateKeyPem,
        subject: { commonName: args.commonName, organization: "bottle" },
        isCaCertificate: true,
        setSubjectKeyId: true,
        setAuthorityKeyId: true,
        allowedUses: ["cert_signing", "crl_signing"],
        validityPeriodHours: 365 * HOURS_A_DAY,
        earlyRenewalHours: 30 * HOURS_A_DAY,
      },
      { parent: this },
    );
    this.certificatePem = certificate.certPem;
    this.files = new command.local.Command(
      `${name}-files`,
      {
        create: nodeScript("./files/write", import.meta.url),
        environment: { FOLDER: args.folder, OWNER: args.owner, ...args.environment },
        stdin: pulumi.secret(
          pulumi.all([key.privateKeyPem, certificate.certPem]).apply(([keyPem, certificatePem]) => JSON.stringify(args.files(keyPem, certificatePem))),
        ),
        ...quiet,
      },
      { parent: this },
    );
    this.registerOutputs({ certificatePem: this.certificatePem });
  }
}
