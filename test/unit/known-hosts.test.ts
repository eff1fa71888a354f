import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { linesFor, lookupName, parseKnownHost } from "../../components/manifest/known-hosts.ts";
import { temporaryFolder } from "./fixtures.ts";

const BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const KEY = `ssh-ed25519 ${BLOB}`;

describe("an entry is", () => {
  it.each([
    ["a file", "~/.ssh/known_hosts", { file: "~/.ssh/known_hosts" }],
    ["a file with a space", "my keys/hosts", { file: "my keys/hosts" }],
    ["a key", KEY, { key: KEY }],
    ["a key with a comment", `${KEY} root@git`, { key: KEY }],
    ["a line", `git.example.com,192.0.2.1 ${KEY}`, { line: `git.example.com,192.0.2.1 ${KEY}` }],
    ["an authority's line", `@cert-authority *.example.com ${KEY}`, { line: `@cert-authority *.example.com ${KEY}` }],
  ])("%s", (_, text, expected) => {
    expect(parseKnownHost(text)).toEqual(expected);
  });

  it.each(["", `${KEY}\n${KEY}`, "ssh-ed25519", "ssh-ed25519 AAAA", `ssh-rsa ${BLOB}`, `a b ${KEY}`, "ssh-dss AAAAB3NzaC1kc3M="])("refused: %j", (text) => {
    expect(parseKnownHost(text)).toHaveProperty("fault");
  });
});

describe("lines of a file", () => {
  const other = `other.example.com ${KEY}`;

  it.each([
    ["by name", `git.example.com ${KEY}`, "git.example.com", true],
    ["by pattern", `*.example.com ${KEY}`, "git.example.com", true],
    ["by a list", `a,git.example.com,b ${KEY}`, "git.example.com", true],
    ["whatever the case", `Git.Example.com ${KEY}`, "git.example.com", true],
    ["but for what is excepted", `*.example.com,!git.example.com ${KEY}`, "git.example.com", false],
    ["by port", `[git.example.com]:2222 ${KEY}`, "[git.example.com]:2222", true],
    ["not of another port", `git.example.com ${KEY}`, "[git.example.com]:2222", false],
    ["not by a dot that is none", `gitxexample.com ${KEY}`, "git.example.com", false],
    ["of an authority", `@cert-authority *.example.com ${KEY}`, "git.example.com", true],
  ])("%s", (_, line, name, found) => {
    expect(linesFor(`# a comment\n\n${other}\n${line}\n`, name)).toEqual(found ? [line] : []);
  });

  it.runIf(existsSync("/usr/bin/ssh-keygen"))("hashed, as ssh-keygen -H writes them", () => {
    const file = join(temporaryFolder(), "known_hosts");
    writeFileSync(file, `${other}\n[git.example.com]:2222 ${KEY}\n`);
    execFileSync("ssh-keygen", ["-H", "-f", file], { stdio: "ignore" });
    const hashed = readFileSync(file, "utf8");
    expect(hashed).not.toContain("example.com");
    expect(linesFor(hashed, "[git.example.com]:2222")).toEqual([hashed.trim().split("\n")[1]]);
    expect(linesFor(hashed, "git.example.com")).toEqual([]);
  });
});

it("a host is looked up with its port unless that is the usual one", () => {
  expect(lookupName({ host: "a.example.com" })).toBe("a.example.com");
  expect(lookupName({ host: "a.example.com", port: 2222 })).toBe("[a.example.com]:2222");
});
