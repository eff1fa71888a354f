import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ok } from "./run.ts";

/** A throw-away authority and a certificate from it, all PEM, ECDSA P-256, valid for two days. */
export interface TestCertificates {
  ca: string;
  key: string;
  /** The server's certificate alone. */
  certificate: string;
}

/**
 * Makes a certificate for DNS names and IP addresses, with the openssl command line.
 * @throws Error if openssl is missing
 */
export async function makeCertificates(names: readonly string[]): Promise<TestCertificates> {
  const folder = mkdtempSync(join(tmpdir(), "bt-certificates-"));
  const openssl = (...args: string[]) => ok("openssl", args, { cwd: folder });
  try {
    const alternatives = names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(",");
    writeFileSync(join(folder, "server.ext"), `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n`);
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    await openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=bottle test CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign");
    await openssl("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=bottle test server");
    await openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.pem");
    const read = (file: string) => readFileSync(join(folder, file), "utf8");
    return { ca: read("ca.pem"), key: read("server.key"), certificate: read("server.pem") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
