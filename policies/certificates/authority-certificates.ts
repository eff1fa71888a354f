import * as pulumi from "@pulumi/pulumi";
import { readCertificate, type CertificateFacts } from "../lib/certificate.ts";
import { stackRule } from "../lib/rule.ts";
import { isCertificate } from "../lib/tls.ts";

const PEM = "certPem";
const SIGNING = ["keyCertSign", "cRLSign"];

/**
 * The certificate says what it is; a provider drops inputs silently (tls 5.5 drops a maxPathLength of 0).
 * A new one does not exist in preview, where authority-requested is all that can be said. Once the
 * update has made it, a certificate that cannot be read is a finding.
 */
export const authorityCertificates = stackRule<{ maxDays: number }>({
  name: "authority-certificates",
  description: "Authorities of a bottle are, by what stands in the certificate, ECDSA, sign certificates and revocations alone, and end in time.",
  severity: "high",
  config: { maxDays: { type: "integer", minimum: 1, default: 397, description: "Longest life of an authority, in days." } },
  check: (resources, _report, { maxDays, report }) => {
    for (const { type, urn, properties } of resources) {
      if (!isCertificate(type)) continue;
      const pem = properties[PEM];
      if (typeof pem !== "string") {
        if (!pulumi.runtime.isDryRun()) report(urn)(PEM, "could not be read although the update has made it; run `pulumi up` again");
        continue;
      }
      for (const fault of faults(pem, maxDays)) report(urn)(PEM, fault);
    }
  },
});

function faults(pem: string, maxDays: number): string[] {
  let facts: CertificateFacts;
  try {
    facts = readCertificate(pem);
  } catch {
    return ["is no certificate in PEM; remove the resource and make it anew"];
  }
  const signs = facts.keyUsage.includes("keyCertSign");
  if (!facts.authority && !signs) return []; // of a server or client, not an authority
  return [
    ...(facts.authority ? [] : ["signs certificates but is not marked as an authority; set isCaCertificate: true"]),
    ...(facts.keyType === "ec" ? [] : ["has a key that is not ECDSA; set the key's algorithm: ECDSA"]),
    ...(signs && facts.keyUsage.every((usage) => SIGNING.includes(usage)) && facts.extendedKeyUsage.length === 0 ? [] : ["may be used for more than to sign certificates and revocations; set allowedUses: [cert_signing, crl_signing]"]),
    ...(facts.days <= maxDays ? [] : [`is valid for more than ${maxDays} days; lower validityPeriodHours`]),
  ];
}
