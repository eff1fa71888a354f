// Rules about authorities: what is asked for, and what the certificate itself says.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, it, vi } from "vitest";
import { authorityCertificates } from "../../policies/certificates/authority-certificates.ts";
import { authorityRequested } from "../../policies/certificates/authority-requested.ts";
import { ok } from "../lib/run.ts";
import { findings, NOT_KNOWN, type Subject } from "./harness.ts";

const SELF_SIGNED = "tls:index/selfSignedCert:SelfSignedCert";
const asked = { isCaCertificate: true, allowedUses: ["cert_signing", "crl_signing"], validityPeriodHours: 365 * 24 };

describe("authority-requested", () => {
  const request = (change: object, settings?: object) => findings(authorityRequested, { type: SELF_SIGNED, props: { ...asked, ...change } }, settings);

  it("takes what bottle asks for, and what is no authority", async () => {
    expect(await request({})).toEqual([]);
    expect(await request({ isCaCertificate: false, allowedUses: ["server_auth"], validityPeriodHours: 99999 })).toEqual([]);
    expect(await findings(authorityRequested, { type: "tls:index/privateKey:PrivateKey", props: { algorithm: "ECDSA" } })).toEqual([]);
  });

  it.each<[string, object]>([
    ["allowedUses", { allowedUses: ["cert_signing", "server_auth"] }],
    ["allowedUses", { allowedUses: ["crl_signing"] }],
    ["isCaCertificate", { isCaCertificate: false }],
    ["validityPeriodHours", { validityPeriodHours: 398 * 24 }],
    ["validityPeriodHours", { validityPeriodHours: undefined }],
  ])("reports %s of %o", async (path, change) => {
    expect(await request(change)).toEqual([expect.stringMatching(new RegExp(`^${path}: is `))]);
  });

  it("has its time from the team's configuration", async () => {
    expect(await request({}, { maxDays: 30 })).toEqual([expect.stringContaining("more than 30 days")]);
  });

  it("reports keys that are not ECDSA", async () => {
    expect(await findings(authorityRequested, { type: "tls:index/privateKey:PrivateKey", props: { algorithm: "RSA" } })).toEqual([expect.stringContaining("algorithm: is not ECDSA")]);
  });

  it("reports what is not known in preview", async () => {
    expect(await request({ allowedUses: NOT_KNOWN })).toEqual([expect.stringContaining("allowedUses: is not known before the update")]);
  });
});

describe("authority-certificates", () => {
  afterEach(() => void vi.restoreAllMocks());
  const check = (certPem: unknown, settings?: object): Promise<string[]> => findings(authorityCertificates, { type: SELF_SIGNED, props: { certPem } } as Subject, settings);

  /** A self-signed certificate by openssl, with extensions as given. */
  async function certificate(extensions: readonly string[], { days = 10, key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] } = {}): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "bottle-policy-"));
    try {
      const added = extensions.flatMap((extension) => ["-addext", extension]);
      await ok("openssl", ["req", "-x509", ...key, "-nodes", "-keyout", "key.pem", "-out", "ca.pem", "-days", String(days), "-subj", "/CN=x", ...added], { cwd: folder });
      return readFileSync(join(folder, "ca.pem"), "utf8");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const signing = "keyUsage=critical,keyCertSign,cRLSign";

  it("takes an authority that signs certificates alone, with critical key usage and without", async () => {
    expect(await check(await certificate([signing]))).toEqual([]);
    expect(await check(await certificate(["keyUsage=keyCertSign,cRLSign"]))).toEqual([]);
  });

  it("reports an authority that may do more", async () => {
    for (const extensions of [["keyUsage=critical,keyCertSign,cRLSign,digitalSignature"], [], [signing, "extendedKeyUsage=serverAuth"]]) {
      expect(await check(await certificate(extensions))).toEqual([expect.stringContaining("certPem: may be used for more than to sign certificates and revocations")]);
    }
  });

  it("reports a key that is not ECDSA", async () => {
    expect(await check(await certificate([signing], { key: ["-newkey", "rsa:2048"] }))).toEqual([expect.stringContaining("certPem: has a key that is not ECDSA")]);
  });

  it("reports one that lives too long", async () => {
    const pem = await certificate([signing], { days: 31 });
    expect(await check(pem, { maxDays: 31 })).toEqual([]);
    expect(await check(pem, { maxDays: 30 })).toEqual([expect.stringContaining("certPem: is valid for more than 30 days")]);
  });

  it("reports what is no certificate", async () => {
    expect(await check("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")).toEqual([expect.stringContaining("certPem: is no certificate in PEM")]);
  });

  it("waits for the update where the certificate does not exist yet, and no longer", async () => {
    vi.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(true);
    expect(await check(NOT_KNOWN)).toEqual([]);
    vi.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(false);
    expect(await check(NOT_KNOWN)).toEqual([expect.stringContaining("certPem: could not be read although the update has made it")]);
    expect(await check(undefined)).toHaveLength(1);
  });
});
