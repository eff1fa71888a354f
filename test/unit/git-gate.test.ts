// What git-gate and the agent's git are told.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { gitPrograms, gitSettings } from "../../components/agent/git-settings.ts";
import { renderGateConfig } from "../../components/git-gate/config.ts";
import { identity, manifestOf } from "./fixtures.ts";

const app = { url: "git@git.example.com:org/app.git", identityFile: "key" };
const of = (git: object) => manifestOf({ git }).git;

describe("gate.json", () => {
  const config = {
    upstreams: [
      { ...app, push: { branches: ["agent/**"], tags: ["v*"], force: true } },
      { url: "https://git.example.com/docs.git", token: { variable: "DOCS_TOKEN", username: "oauth2" } },
      { url: "https://git.example.com/wiki.git", token: { secret: "s3cret-of-wiki" }, serveStale: true },
      { url: "file:///srv/repos/tools.git" },
    ],
    signing: { identityFile: "signing" },
    limits: { scanSeconds: 60 },
  };

  it("says what each upstream is, by ids of keys and tokens", async () => {
    const text = renderGateConfig(of(config), { knownHosts: { app: "git.example.com ssh-ed25519 AAAA\n" }, gitleaks: "title = 'mine'\n" });
    expect(text).not.toContain("s3cret-of-wiki");
    await expect(text).toMatchFileSnapshot("snapshots/gate.json");
  });

  it("has a revision that changes with what it says", () => {
    const revision = (git: object, files = { knownHosts: {} }) => (JSON.parse(renderGateConfig(of(git), files)) as { revision: string }).revision;
    expect(revision(config)).toMatch(/^[0-9a-f]{16}$/);
    expect(revision(config)).toBe(revision(config));
    expect(revision({ upstreams: [app] })).not.toBe(revision({ upstreams: [{ ...app, serveStale: true }] }));
    expect(revision(config, { knownHosts: { app: "x" } })).not.toBe(revision(config));
  });

  it("says whether the agent may ask only where it may", () => {
    const ask = (supervise: boolean) => (JSON.parse(renderGateConfig(of(config), { knownHosts: {} }, supervise)) as { ask?: boolean }).ask;
    expect([ask(true), ask(false)]).toEqual([true, undefined]);
  });
});

describe("the agent's git", () => {
  const rewrites = (...upstreams: object[]) => Object.fromEntries(Object.entries(gitSettings(of({ upstreams }), identity, undefined, false)).filter(([key]) => key.startsWith("url.")));

  it("finds a whole ssh host at git-gate, and the same repository over https", () => {
    expect(rewrites(app)).toEqual({
      "url.git://git-gate:9418/git.example.com/.insteadOf": ["git@git.example.com:", "git@git.example.com:/", "ssh://git@git.example.com/"],
      "url.git://git-gate:9418/git.example.com/org/app.insteadOf": ["https://git.example.com/org/app"],
    });
  });

  it("finds an https upstream there, and nothing else of its host", () => {
    expect(rewrites({ url: "https://git.example.com/org/app.git" })).toEqual({
      "url.git://git-gate:9418/git.example.com/org/app.insteadOf": ["https://git.example.com/org/app", "git@git.example.com:org/app", "ssh://git@git.example.com/org/app"],
    });
  });

  it("takes ports for what they are", () => {
    expect(rewrites({ ...app, url: "ssh://git@git.example.com:2222/app.git" }, { url: "https://git.example.com:8443/app" })).toEqual({
      "url.git://git-gate:9418/git.example.com_2222/.insteadOf": ["ssh://git@git.example.com:2222/"],
      "url.git://git-gate:9418/git.example.com_8443/app.insteadOf": ["https://git.example.com:8443/app"],
    });
  });

  it("two upstreams of one host share its rewriting", () => {
    expect(Object.keys(rewrites(app, { ...app, url: "ssh://git@git.example.com/org/lib" }))).toHaveLength(3);
  });

  it("is the bottle, or whom the manifest names", () => {
    expect(gitSettings(of({}), identity, undefined, false)).toMatchObject({ "user.name": "bottle Review/One", "user.email": "review-one@bottle.invalid" });
    expect(gitSettings(of({ author: { name: "A", email: "a@b.example" } }), identity, undefined, false)).toMatchObject({ "user.name": "A", "user.email": "a@b.example" });
  });

  it("signs by a program that has git-gate sign", () => {
    const git = of({ upstreams: [app], signing: { identityFile: "k" } });
    expect(gitSettings(git, identity, "ssh-ed25519 AAAA", false)).toMatchObject({ "gpg.format": "ssh", "user.signingKey": "key::ssh-ed25519 AAAA", "commit.gpgSign": "true", "tag.gpgSign": "true" });
    expect(gitPrograms(git, false)).toEqual([{ path: ".config/bottle/sign", executable: true, content: expect.stringContaining("http://git-gate:9419/sign") }]);
    expect(gitPrograms(of({ upstreams: [app] }), false)).toEqual([]);
  });

  it("says in ssh's place how to ask, where the agent may", () => {
    expect(gitSettings(of({}), identity, undefined, false)).not.toHaveProperty(["core.sshCommand"]);
    expect(gitSettings(of({}), identity, undefined, true)).toMatchObject({ "core.sshCommand": "/home/agent/.config/bottle/no-ssh" });
    const content = gitPrograms(of({}), true)[0]!.content!;
    const said = (...args: string[]) => spawnSync("sh", ["-c", content, "ssh", ...args], { encoding: "utf8" });
    expect(said("-o", "SendEnv=GIT_PROTOCOL", "-p", "2222", "git@h.example.com", "git-upload-pack '/org/app.git'")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('request_git_upstream of the MCP server `supervise` (http://supervise:8090/mcp) with {"url": "ssh://git@h.example.com:2222/org/app.git"} and why'),
    });
    expect(said("git@h.example.com", "git-receive-pack 'org/app.git'").stderr).toContain('{"url": "ssh://git@h.example.com/org/app.git"}');
  });
});
