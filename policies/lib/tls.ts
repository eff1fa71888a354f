// Types of the tls provider's resources.
export const PRIVATE_KEY = "tls:index/privateKey:PrivateKey";

const SELF_SIGNED = "tls:index/selfSignedCert:SelfSignedCert";
const LOCALLY_SIGNED = "tls:index/locallySignedCert:LocallySignedCert";

export function isCertificate(type: string): boolean {
  return type === SELF_SIGNED || type === LOCALLY_SIGNED;
}
