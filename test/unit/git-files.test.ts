// What git upstreams take from this machine: keys, host keys, configuration.
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { lookAtGitFiles, type GitFiles } from "../../components/machine/git-files.ts";
import { REVISION_FILE } from "../../components/machine/secrets.ts";
import { manifestOf, temporaryFolder } from "./fixtures.ts";

const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
/** A key of OpenSSH's format, made up: cipher, kdf, options, one key. */
function openSshKey(cipher = "none"): string {
  const field = (value: Buffer | string) => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const blob = Buffer.concat([Buffer.from("openssh-key-v1\0"), field(cipher), field("none"), field(""), Buffer.from([0, 0, 0, 1]), field(Buffer.from(HOST_KEY.split(" ")[1]!, "base64")), field("private")]);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${blob.toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

let project: string;
let secrets: string;
beforeEach(() => {
  project = temporaryFolder();
  secrets = join(project, "memory");
});

function look(git: object, environment: NodeJS.ProcessEnv = {}): GitFiles {
  const manifest = manifestOf({ git });
  return lookAtGitFiles(manifest.git, manifest.gitSecrets, project, secrets, environment);
}
const ssh = (more: object = {}) => ({ upstreams: [{ url: "ssh://git@git.example.com:2222/app.git", identityFile: "key", knownHosts: HOST_KEY, ...more }] });
const write = (name: string, content: string) => writeFileSync(join(project, name), content);

describe("private keys", () => {
  it.each([
    ["OpenSSH's format", openSshKey()],
    ["PEM", generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "sec1", format: "pem" }).toString()],
  ])("in %s are taken, by path", (_, content) => {
    write("key", content);
    const files = look(ssh());
    expect(files.faults).toEqual([]);
    expect(files.keyFiles).toEqual({ "key.app": join(project, "key") });
    expect(JSON.stringify(files)).not.toContain(content.split("\n")[1]);
  });

  it.each([
    ["missing", undefined, /"key" cannot be read \(ENOENT; looked for .*\/key\); create it, or correct the path/],
    ["locked", openSshKey("aes256-ctr"), /"key" is locked by a passphrase, which nobody can type in git-gate/],
    ["locked, in PEM", "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", /is locked by a passphrase/],
    ["public", HOST_KEY, /"key" is a public key; give the private one beside it, without \.pub/],
    ["no key at all", "hello", /"key" holds no private key; make one with: ssh-keygen/],
  ])("that are %s are a fault", (_, content, fault) => {
    if (content !== undefined) write("key", content);
    const [line, ...more] = look(ssh()).faults;
    expect(line).toMatch(/^bottle:git\.upstreams\[0\]\.identityFile: /);
    expect(line).toMatch(fault);
    expect(more).toEqual([]);
  });

  it.runIf(existsSync("/usr/bin/ssh-keygen"))("as ssh-keygen makes them: with and without a passphrase, and their public half", () => {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", join(project, "key")]);
    execFileSync("ssh-keygen", ["-q", "-t", "rsa", "-b", "2048", "-N", "secret", "-f", join(project, "locked")]);
    const { faults, signingKey } = look({ ...ssh(), signing: { identityFile: "key" } });
    expect(faults).toEqual([]);
    expect(signingKey).toBe(readFileSync(join(project, "key.pub"), "utf8").trim());
    expect(look(ssh({ identityFile: "locked" })).faults.join()).toContain("is locked by a passphrase");
  });

  it("that sign are in OpenSSH's format", () => {
    write("key", generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "sec1", format: "pem" }).toString());
    expect(look({ ...ssh(), signing: { identityFile: "key" } }).faults).toEqual([`bottle:git.signing.identityFile: "key" is an ec key in PEM; convert it to OpenSSH's own format: ssh-keygen -p -N '' -f FILE`]);
  });
});

describe("host keys", () => {
  beforeEach(() => write("key", openSshKey()));

  it("are written for the host and port of the URL", () => {
    expect(look(ssh()).knownHosts).toEqual({ app: `[git.example.com]:2222 ${HOST_KEY}\n` });
  });

  it("of a file are those that speak of the host", () => {
    write("hosts", `other.example.com ${HOST_KEY}\n[git.example.com]:2222 ${HOST_KEY}\n`);
    expect(look(ssh({ knownHosts: ["hosts", `git.example.com ${HOST_KEY}`] })).knownHosts).toEqual({ app: `[git.example.com]:2222 ${HOST_KEY}\ngit.example.com ${HOST_KEY}\n` });
  });

  it("of a file that is missing are a fault", () => {
    expect(look(ssh({ knownHosts: "hosts" })).faults.join()).toMatch(/^bottle:git\.upstreams\[0\]\.knownHosts: "hosts" cannot be read/);
  });
});

it("a token that is not set, and a gitleaks configuration that is missing, are faults", () => {
  const upstream = { url: "https://git.example.com/app.git", token: { variable: "GIT_TOKEN" } };
  expect(look({ upstreams: [upstream], gitleaks: "rules.toml" }).faults).toEqual([
    "bottle:git.upstreams[0].token: the variable GIT_TOKEN is not set; export it before `pulumi up`",
    expect.stringMatching(/^bottle:git\.gitleaks: "rules\.toml" cannot be read/),
  ]);
  write("rules.toml", "title = 'mine'\n");
  expect(look({ upstreams: [upstream], gitleaks: "rules.toml" }, { GIT_TOKEN: "t" })).toMatchObject({ faults: [], gitleaks: "title = 'mine'\n" });
});

it("the revision stays while folder and machine agree, and tells nothing", () => {
  write("key", openSshKey());
  const first = look(ssh()).revision;
  mkdirSync(secrets);
  writeFileSync(join(secrets, "key.app"), openSshKey());
  writeFileSync(join(secrets, REVISION_FILE), first);
  expect(look(ssh()).revision).toBe(first);
  write("key", openSshKey().replace("b3BlbnNzaC1rZXktdjEA", "b3BlbnNzaC1rZXktdjEA\n"));
  expect(look(ssh()).revision).not.toBe(first);
});
