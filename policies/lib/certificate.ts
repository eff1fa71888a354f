// What a certificate itself says, beyond what node:crypto reads: its extensions (RFC 5280, DER).
import { X509Certificate } from "node:crypto";

export interface CertificateFacts {
  /** "ec", "rsa", … */
  readonly keyType: string | undefined;
  /** OpenSSL's name of the curve. */
  readonly curve: string | undefined;
  readonly authority: boolean;
  /** Names as in RFC 5280, such as keyCertSign. */
  readonly keyUsage: readonly string[];
  readonly extendedKeyUsage: readonly string[];
  readonly days: number;
}

const KEY_USAGE = Buffer.from("0603551d0f", "hex");
const usages = ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"];
const DAY = 24 * 60 * 60 * 1000;

/** @throws Error where the text is no certificate in PEM */
export function readCertificate(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
  return {
    keyType: asymmetricKeyType,
    curve: asymmetricKeyDetails?.namedCurve,
    authority: certificate.ca,
    keyUsage: keyUsage(certificate.raw),
    extendedKeyUsage: certificate.keyUsage ?? [], // Node's word for the extended one
    days: (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / DAY,
  };
}

/** Extension: OID, perhaps `critical` (01 01 ff), an octet string with a bit string whose first byte counts unused bits. */
function keyUsage(der: Buffer): string[] {
  const at = der.indexOf(KEY_USAGE);
  if (at < 0) return [];
  let rest = der.subarray(at + KEY_USAGE.length);
  if (rest[0] === 0x01) rest = rest.subarray(3);
  if (rest[0] !== 0x04 || rest[2] !== 0x03) return [];
  const bits = rest.subarray(5, 4 + rest[3]!);
  return usages.filter((_, index) => ((bits[index >> 3] ?? 0) >> (7 - (index & 7))) & 1);
}
