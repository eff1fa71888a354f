import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { mountFaults } from "../../components/machine/mounted.ts";
import { manifestOf, temporaryFolder } from "./fixtures.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
let root: string;
let project: string;
beforeEach(() => {
  root = temporaryFolder();
  project = join(root, "team/bottles");
  for (const folder of ["work/repo.git", "keys", "team/bottles/state/review", "team/bottles/service", "backend"]) mkdirSync(join(root, folder), { recursive: true });
  for (const file of ["keys/key", "work/key", "work/rules.toml", "work/ca.pem", "work/known"]) writeFileSync(join(root, file), "");
});

const faults = (workspace: object, git: object = {}, trusted: string[] = [], environment: NodeJS.ProcessEnv = {}) =>
  mountFaults(project, manifestOf({ agent: { claude: { login: "none" }, workspace }, git }), trusted, { PULUMI_BACKEND_URL: `file://${root}/backend`, ...environment });
const ssh = (more: object) => ({ upstreams: [{ url: "git@git.example.com:app.git", identityFile: "../../keys/key", knownHosts: KEY, ...more }] });
const fault = (path: string, what: string) => `bottle:agent.workspace: "${path}" is mounted, so the agent could change what it shares with ${what}; set mode: copy, or mount a folder that is apart from it`;

describe("a mounted workspace may not be shared with", () => {
  it.each([[".", "."], ["..", ".."], ["the root", "/"]])("the project: %s", (_, path) => {
    expect(faults({ mode: "mount", path })).toEqual([fault(path, "this Pulumi project, with its manifests")]);
  });

  it.each(["state", "state/review", "components", "policies", "node_modules"])("what Pulumi runs or keeps: %s", (path) => {
    mkdirSync(join(project, path), { recursive: true });
    expect(faults({ mode: "mount", path })).toEqual([fault(path, `${path.split("/")[0]}/ of this Pulumi project`)]);
  });

  it("the home folder", () => {
    expect(faults({ mode: "mount", path: homedir() })).toEqual([fault(homedir(), "your home folder")]);
  });

  it("Pulumi's state, and the passphrase to it", () => {
    expect(faults({ mode: "mount", path: "../../backend" })).toEqual([fault("../../backend", "Pulumi's state")]);
    expect(faults({ mode: "mount", path: "../../keys" }, {}, [], { PULUMI_CONFIG_PASSPHRASE_FILE: join(root, "keys/key") })).toEqual([fault("../../keys", `PULUMI_CONFIG_PASSPHRASE_FILE ("${root}/keys/key")`)]);
  });

  it.each([
    ["identityFile", "../../work/key"],
    ["knownHosts", "../../work/known"],
  ])("an upstream's %s", (key, path) => {
    expect(faults({ mode: "mount", path: "../../work" }, ssh({ [key]: path }))).toEqual([fault("../../work", `bottle:git.upstreams[0].${key} ("${path}")`)]);
  });

  it("a repository whose hooks git-gate would run, gitleaks' configuration, a CA", () => {
    const path = "../../work";
    expect(faults({ mode: "mount", path }, { upstreams: [{ url: `file://${root}/work/repo.git` }] })).toEqual([fault(path, `bottle:git.upstreams[0].url ("${root}/work/repo.git")`)]);
    expect(faults({ mode: "mount", path }, { gitleaks: "../../work/rules.toml" })).toEqual([fault(path, 'bottle:git.gitleaks ("../../work/rules.toml")')]);
    expect(faults({ mode: "mount", path }, {}, [join(root, "work/ca.pem")])).toEqual([fault(path, `a CA file that the sidecars trust ("${root}/work/ca.pem")`)]);
  });

  it("any of them by way of a link", () => {
    symlinkSync(root, join(project, "link"));
    expect(faults({ mode: "mount", path: "link/team" })).toEqual([fault("link/team", "this Pulumi project, with its manifests")]);
  });
});

it.each([
  [{ mode: "mount", path: "service" }],
  [{ mode: "mount", path: "../../work" }],
  [{ mode: "copy", path: "." }],
  [{ mode: "none" }],
])("%j is fine", (workspace) => {
  expect(faults(workspace, ssh({ identityFile: "../../keys/key" }))).toEqual([]);
});
