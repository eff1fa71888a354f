// Rules about git upstreams.
import { describe, expect, it } from "vitest";
import { gitHostKeysPinned } from "../../policies/git/git-host-keys-pinned.ts";
import { gitPushesNarrow } from "../../policies/git/git-pushes-narrow.ts";
import { COMMAND, findings, root, stackConfig, up } from "./harness.ts";

async function ofManifest(policy: Parameters<typeof findings>[0], upstreams: unknown, settings?: object): Promise<string[]> {
  stackConfig({ "bottle:git": { upstreams } });
  return findings(policy, root, settings);
}

describe("git-host-keys-pinned", () => {
  it.each([["git@example.com:org/repo.git"], ["ssh://git@example.com/org/repo.git"], ["git+ssh://git@example.com/x"]])("wants host keys for %s", async (url) => {
    for (const knownHosts of [undefined, null, "", []]) expect(await ofManifest(gitHostKeysPinned, [{ name: "r", url, knownHosts }])).toEqual([expect.stringContaining("bottle:git.upstreams[0].knownHosts: is not set")]);
    for (const knownHosts of ["example.com ssh-ed25519 AAAA", ["example.com ssh-ed25519 AAAA"]]) expect(await ofManifest(gitHostKeysPinned, [{ name: "r", url, knownHosts }])).toEqual([]);
  });

  it("takes the user's own file where the team does", async () => {
    expect(await ofManifest(gitHostKeysPinned, [{ url: "git@example.com:r" }], { userFile: true })).toEqual([]);
  });

  it("reads what git-gate is handed: an upstream whose keys nobody knows", async () => {
    const handed = (known_hosts: unknown) => findings(gitHostKeysPinned, { type: COMMAND, props: { create: "x", stdin: JSON.stringify({ upstreams: [{ id: "r", url: "git@example.com:r", known_hosts }] }) } });
    expect(await handed(null)).toEqual([expect.stringContaining("stdin: upstreams[0].known_hosts: is empty")]);
    expect(await handed("example.com ssh-ed25519 AAAA")).toEqual([]);
  });

  it("takes https, and reports what has no check at all", async () => {
    expect(await ofManifest(gitHostKeysPinned, [{ name: "r", url: "https://example.com/r.git" }])).toEqual([]);
    for (const url of ["git://example.com/r", "http://example.com/r"]) expect(await ofManifest(gitHostKeysPinned, [{ url }])).toEqual([expect.stringContaining("bottle:git.upstreams[0].url: ")]);
  });

  it("reads upstreams in other forms too, and none", async () => {
    expect(await ofManifest(gitHostKeysPinned, { r: { url: "git@example.com:r" } })).toEqual([expect.stringContaining("bottle:git.upstreams.r.knownHosts: ")]);
    expect(await ofManifest(gitHostKeysPinned, ["git@example.com:r"])).toHaveLength(1);
    for (const upstreams of [undefined, null, "x", 5, [null]]) expect(await ofManifest(gitHostKeysPinned, upstreams)).toEqual([]);
  });

  it.each(["ssh -o StrictHostKeyChecking=no", "ssh -o 'StrictHostKeyChecking accept-new'", "ssh -o UserKnownHostsFile=/dev/null", "git -c http.sslVerify=false fetch"])("reports a check that is turned off: %s", async (text) => {
    expect(await findings(gitHostKeysPinned, up({ environment: { GIT_SSH_COMMAND: text } }))).toEqual([expect.stringContaining("stdin: services.agent.environment: turns the check")]);
    expect(await findings(gitHostKeysPinned, { type: COMMAND, props: { create: text } })).toEqual([expect.stringContaining("create: turns the check")]);
    expect(await findings(gitHostKeysPinned, { type: COMMAND, props: { create: "x", environment: { GIT_SSH_COMMAND: text } } })).toHaveLength(1);
  });
});

describe("git-pushes-narrow", () => {
  const push = (rules: object) => [{ name: "r", url: "https://example.com/r.git", push: rules }];

  it("takes pushes to named branches", async () => {
    expect(await ofManifest(gitPushesNarrow, push({ branches: ["agent/**"], tags: [], force: false, delete: false }))).toEqual([]);
    expect(await ofManifest(gitPushesNarrow, [{ name: "r", url: "x" }])).toEqual([]);
  });

  it.each([
    ["force", { force: true }],
    ["force", { force: ["agent/**"] }],
    ["delete", { delete: true }],
    ["delete", { delete: "yes" }],
  ])("reports %s, until the team lists the upstream", async (key, rules) => {
    expect(await ofManifest(gitPushesNarrow, push(rules))).toEqual([expect.stringContaining(`bottle:git.upstreams[0].push.${key}: `)]);
    expect(await ofManifest(gitPushesNarrow, push(rules), { [key]: ["r"] })).toEqual([]);
    expect(await ofManifest(gitPushesNarrow, push(rules), { [key]: ["other"] })).toHaveLength(1);
  });

  it("reads what git-gate is handed, where there is no manifest", async () => {
    const handed = { type: COMMAND, props: { create: "x", stdin: JSON.stringify({ upstreams: [{ id: "r", url: "https://example.com/r", push: { branches: [], tags: [], delete: false, force: true } }] }) } };
    expect(await findings(gitPushesNarrow, handed)).toEqual([expect.stringContaining("stdin: upstreams[0].push.force: ")]);
    stackConfig({ "bottle:git": { upstreams: push({ force: true }) } });
    expect(await findings(gitPushesNarrow, handed)).toEqual([]);
  });

  it.each(["*", "**", "refs/heads/**"])("reports pushes to every branch: %s", async (branch) => {
    expect(await ofManifest(gitPushesNarrow, push({ branches: ["agent/**", branch] }))).toEqual([expect.stringContaining("bottle:git.upstreams[0].push.branches[1]: is every branch")]);
    expect(await ofManifest(gitPushesNarrow, push({ branches: [branch] }), { anyBranch: ["r"] })).toEqual([]);
  });
});
