import { resourceRule } from "../lib/rule.ts";
import { isCertificate, PRIVATE_KEY } from "../lib/tls.ts";
import { known, list } from "../lib/values.ts";

const SIGNING = ["cert_signing", "crl_signing"];

/** What can be said before a certificate exists; the certificate itself is looked at by authority-certificates. */
export const authorityRequested = resourceRule<{ maxDays: number }>({
  name: "authority-requested",
  description: "Keys of a bottle are ECDSA, and its authorities are asked for to sign certificates and nothing else, for a bounded time.",
  severity: "high",
  config: { maxDays: { type: "integer", minimum: 1, default: 397, description: "Longest life of an authority, in days." } },
  check: ({ type, inputs }, report, { maxDays }) => {
    if (type === PRIVATE_KEY && known(inputs["algorithm"], "algorithm") !== "ECDSA") report("algorithm", "is not ECDSA, the only kind that pipelock takes; set it to ECDSA");
    if (!isCertificate(type)) return;
    const uses = list(known(inputs["allowedUses"], "allowedUses")).map(String);
    const authority = known(inputs["isCaCertificate"], "isCaCertificate") === true;
    if (!authority && !uses.includes("cert_signing")) return;
    if (!authority) report("isCaCertificate", "is not true although the certificate is to sign others; set it");
    if (!uses.includes("cert_signing") || uses.some((use) => !SIGNING.includes(use))) report("allowedUses", "is not [cert_signing, crl_signing]: an authority that does more can stand in for a server or a client; set it so");
    const hours = Number(known(inputs["validityPeriodHours"], "validityPeriodHours"));
    if (!(hours <= maxDays * 24)) report("validityPeriodHours", `is more than ${maxDays} days; give a shorter life with earlyRenewalHours, so that a later \`pulumi up\` renews it`);
  },
});
