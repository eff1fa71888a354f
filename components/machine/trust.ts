// CA files of this machine, beside the public roots: companies re-sign outbound TLS.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

export interface TrustFiles {
  /** Absolute paths of PEM files. */
  readonly paths: readonly string[];
  /** Hash over their contents: a replaced file is a change. */
  readonly hash: string;
}

/** Where administrators put extra CAs on Debian and Fedora. */
const systemFolders = ["/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors"];

/**
 * The extra CA files: those the manifest names, else the machine's own.
 *
 * @param named paths from `trust.caFiles`; `[]` means none.
 * @throws Error naming key, file and mend where a file is missing or holds no certificate.
 */
export function trustFiles(named: readonly string[] | undefined, project: string): TrustFiles {
  const paths = named?.map((path) => resolve(project, path)) ?? systemFolders.flatMap(certificatesIn);
  const hash = createHash("sha256");
  paths.forEach((path, index) => {
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch {
      throw new Error(`bottle:trust.caFiles[${index}]: "${path}" cannot be read; give a PEM file, or remove the entry`);
    }
    if (!text.includes("-----BEGIN CERTIFICATE-----")) {
      throw new Error(`bottle:trust.caFiles[${index}]: "${path}" holds no PEM certificate; convert it with: openssl x509 -inform der -in FILE`);
    }
    hash.update(text);
  });
  return { paths, hash: hash.digest("hex").slice(0, 16) };
}

function certificatesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((name) => join(folder, name))
      .filter((path) => /\.(crt|pem)$/.test(path) && statSync(path).isFile() && readFileSync(path, "utf8").includes("BEGIN CERTIFICATE"))
      .sort();
  } catch {
    return [];
  }
}
