// What a bottle's git upstreams take from this machine: keys, host keys, a gitleaks configuration.
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { linesFor, lookupName, parseKnownHost } from "../manifest/known-hosts.ts";
import type { Git, GitUpstream } from "../manifest/manifest.ts";
import { resolvePath } from "./paths.ts";
import { secretRevision } from "./secrets.ts";

export interface GitFiles {
  /** Lines of known_hosts by upstream. */
  readonly knownHosts: Readonly<Record<string, string>>;
  /** Content of the user's gitleaks configuration. */
  readonly gitleaks?: string;
  /** Public half of the signing key: `ssh-ed25519 AAAA…`. */
  readonly signingKey?: string;
  /** Absolute host paths of private keys by secret id. */
  readonly keyFiles: Readonly<Record<string, string>>;
  /** See secretRevision. */
  readonly revision: string;
  /** What is missing: one line a fault, by config key. */
  readonly faults: readonly string[];
}

/** File names of keys in git-gate. With a dot, so that none is a variable's. */
export const keyId = ({ name }: Pick<GitUpstream, "name">) => `key.${name}`;
export const SIGNING_KEY_ID = "signing-key";

/**
 * Looks; changes nothing. Nothing of a private key leaves this function but whether it changed.
 *
 * @param folder git-gate's folder of secrets on the host.
 * @param secrets tokens that are Pulumi secrets, by id.
 */
export function lookAtGitFiles(git: Git, secrets: ReadonlyMap<string, string>, project: string, folder: string, environment: NodeJS.ProcessEnv): GitFiles {
  const faults: string[] = [];
  const attempt = <T>(key: string, look: () => T): T | undefined => {
    try {
      return look();
    } catch (error) {
      faults.push(`bottle:git.${key}: ${(error as Error).message}`);
      return undefined;
    }
  };
  const values = new Map<string, string | undefined>(secrets);
  const keyFiles: Record<string, string> = {};
  const knownHosts: Record<string, string> = {};
  git.upstreams.forEach((upstream, index) => {
    const { name, identityFile, token } = upstream;
    if (identityFile !== undefined) {
      keyFiles[keyId(upstream)] = resolvePath(project, identityFile);
      values.set(keyId(upstream), attempt(`upstreams[${index}].identityFile`, () => privateKey(identityFile, project)));
    }
    if (upstream.url.transport === "ssh") knownHosts[name] = attempt(`upstreams[${index}].knownHosts`, () => hostKeys(upstream, project)) ?? "";
    if (token?.source === "variable") {
      values.set(token.id, environment[token.id]);
      if (!environment[token.id]) faults.push(`bottle:git.upstreams[${index}].token: the variable ${token.id} is not set; export it before \`pulumi up\``);
    }
  });
  let signingKey: string | undefined;
  if (git.signing) {
    const { identityFile } = git.signing;
    const key = attempt("signing.identityFile", () => privateKey(identityFile, project));
    keyFiles[SIGNING_KEY_ID] = resolvePath(project, identityFile);
    values.set(SIGNING_KEY_ID, key);
    signingKey = key && attempt("signing.identityFile", () => publicKey(key, identityFile));
  }
  const { gitleaks } = git;
  return {
    knownHosts,
    ...(gitleaks !== undefined && { gitleaks: attempt("gitleaks", () => readText(gitleaks, project)) ?? "" }),
    ...(signingKey !== undefined && { signingKey }),
    keyFiles,
    revision: secretRevision(folder, values),
    faults,
  };
}

function readText(path: string, project: string): string {
  const file = resolvePath(project, path);
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`"${path}" cannot be read (${(error as NodeJS.ErrnoException).code}; looked for ${file}); create it, or correct the path`);
  }
}

/** The key's text, once it is one that works unattended. */
function privateKey(path: string, project: string): string {
  const text = readText(path, project);
  if (!/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(text)) {
    throw new Error(`"${path}" ${/^(ssh-|ecdsa-|sk-)/.test(text) ? "is a public key; give the private one beside it, without .pub" : "holds no private key; make one with: ssh-keygen -t ed25519 -N '' -f FILE"}`);
  }
  if (isEncrypted(text)) throw new Error(`"${path}" is locked by a passphrase, which nobody can type in git-gate; give a key of its own without one: ssh-keygen -t ed25519 -N '' -f FILE`);
  return text;
}

function isEncrypted(text: string): boolean {
  if (/ENCRYPTED/.test(text)) return true; // PKCS #8, and PEM's Proc-Type
  const fields = openSshFields(text);
  return fields !== undefined && fields[0]?.toString() !== "none";
}

/** PROTOCOL.key of OpenSSH: magic, then cipher, kdf, its options, number of keys, public key. */
function openSshFields(text: string): Buffer[] | undefined {
  const base64 = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)-----END/.exec(text)?.[1];
  const blob = Buffer.from(base64 ?? "", "base64");
  const magic = "openssh-key-v1\0";
  if (blob.subarray(0, magic.length).toString() !== magic) return undefined;
  const fields: Buffer[] = [];
  let at = magic.length;
  const field = () => {
    const length = blob.readUInt32BE(at);
    fields.push(blob.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  };
  try {
    for (let count = 0; count < 3; count++) field();
    at += 4; // number of keys
    field();
    return fields;
  } catch {
    return undefined; // cut short
  }
}

function publicKey(text: string, path: string): string {
  const blob = openSshFields(text)?.[3];
  if (blob === undefined) {
    const kind = safely(() => createPrivateKey(text).asymmetricKeyType);
    throw new Error(`"${path}" is ${kind === undefined ? "no key that can be read" : `an ${kind} key in PEM`}; convert it to OpenSSH's own format: ssh-keygen -p -N '' -f FILE`);
  }
  return `${blob.subarray(4, 4 + blob.readUInt32BE(0)).toString()} ${blob.toString("base64")}`;
}

function safely<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** Only what speaks of this host: a user's known_hosts names every host they ever logged in to. */
function hostKeys({ url, knownHosts }: GitUpstream, project: string): string {
  const name = lookupName(url);
  const entries = knownHosts ?? ["~/.ssh/known_hosts"];
  const lines = entries.flatMap((entry) => {
    const parsed = parseKnownHost(entry);
    if ("key" in parsed) return [`${name} ${parsed.key}`];
    if ("line" in parsed) return [parsed.line];
    if ("fault" in parsed) throw new Error(parsed.fault);
    // The default may well be missing: the first contact then says which key the host offers.
    const text = knownHosts === undefined ? (safely(() => readText(entry, project)) ?? "") : readText(entry, project);
    return linesFor(text, name);
  });
  return lines.map((line) => `${line}\n`).join("");
}

/** Folder of git-gate's secrets on the host: in memory where the machine can, else beside the CA keys. */
export function gitSecretFolder(memoryFolder: string | undefined, stateRoot: string): string {
  return memoryFolder === undefined ? join(stateRoot, "git-gate", "secrets") : join(memoryFolder, "git-gate");
}
