import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { trustFiles } from "../../components/machine/trust.ts";
import { temporaryFolder } from "./fixtures.ts";

const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

describe("trustFiles", () => {
  it("takes the named files, relative to the project, and notices a replaced one", () => {
    const project = temporaryFolder();
    writeFileSync(join(project, "ca.pem"), pem("one"));
    const first = trustFiles(["ca.pem", join(project, "ca.pem")], project);
    expect(first.paths).toEqual([join(project, "ca.pem"), join(project, "ca.pem")]);
    expect(first.hash).toMatch(/^[0-9a-f]{16}$/);
    expect(trustFiles(["ca.pem", "ca.pem"], project).hash).toBe(first.hash);
    writeFileSync(join(project, "ca.pem"), pem("two"));
    expect(trustFiles(["ca.pem", "ca.pem"], project).hash).not.toBe(first.hash);
  });

  it("takes none where the manifest says []", () => {
    expect(trustFiles([], "/nonexistent").paths).toEqual([]);
  });

  it("takes the machine's own where the manifest says nothing", () => {
    for (const path of trustFiles(undefined, "/nonexistent").paths) expect(path).toMatch(/^\/(usr\/local\/share\/ca-certificates|etc\/pki\/ca-trust\/source\/anchors)\/.*\.(crt|pem)$/);
  });

  it("names a file that is missing", () => {
    expect(() => trustFiles(["a.pem"], "/nonexistent")).toThrow(
      new Error('bottle:trust.caFiles[0]: "/nonexistent/a.pem" cannot be read; give a PEM file, or remove the entry'),
    );
  });

  it("names a file that holds no certificate, without its content", () => {
    const project = temporaryFolder();
    writeFileSync(join(project, "good.pem"), pem("x"));
    writeFileSync(join(project, "key.pem"), "-----BEGIN EC PRIVATE KEY-----\nsecret");
    expect(() => trustFiles(["good.pem", "key.pem"], project)).toThrow(
      new Error(`bottle:trust.caFiles[1]: "${join(project, "key.pem")}" holds no PEM certificate; convert it with: openssl x509 -inform der -in FILE`),
    );
  });
});
