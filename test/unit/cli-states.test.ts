// Whether Pulumi knows a bottle: of this project, of others, in a folder's backend and in remote ones.
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { render } from "../../cli/commands/ls.ts";
import type { EngineBottle } from "../../cli/fleet/engine.ts";
import { findBottle } from "../../cli/fleet/find.ts";
import { States, type Known } from "../../cli/fleet/states.ts";
import { projectIn } from "../../cli/project.ts";
import { identify } from "../../components/identity.ts";
import { shownBackend } from "../../components/machine/backend.ts";
import { fakeProgram, withEnvironment } from "./fake-program.ts";
import { temporaryFolder } from "./fixtures.ts";

const remote = "s3://team:hunter2@states/bottles?region=eu&awssecret=hunter3";
const shown = "s3://states/bottles";
let pulumi: ReturnType<typeof fakeProgram>;

beforeEach(() => {
  pulumi = fakeProgram("pulumi", [["stack ls *", { sh: `case "$PULUMI_BACKEND_URL" in *broken*) exit 255 ;; *) echo '[{"name":"here"},{"name":"acme/team"}]' ;; esac` }]]);
  withEnvironment({ PATH: `${pulumi.path}:${process.env["PATH"]}`, PULUMI_BACKEND_URL: undefined, PULUMI_HOME: temporaryFolder() });
});

/** A Pulumi project; its bottles' metadata.json is written by {@link bottleOf}. */
function projectFolder(): string {
  const folder = realpathSync(temporaryFolder());
  writeFileSync(join(folder, "Pulumi.yaml"), "name: fleet\nruntime: nodejs\n");
  return folder;
}

/** A bottle as the engine has it, made by a project whose stacks are in `backend`. */
function bottleOf(folder: string, stack: string, backend: string, { organization = "organization", recorded = true } = {}): EngineBottle {
  const state = join(folder, "state", stack);
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, "metadata.json"), JSON.stringify(recorded ? { backend: shownBackend(backend), organization } : {}));
  return { instance: identify(backend, organization, "fleet", stack).instance, stack, project: "fleet", folder: state, containers: [], others: 0 };
}

/** What `ls` says in a project of its own, whose stacks are in `backend`. */
async function known(bottle: EngineBottle, backend?: string): Promise<Known> {
  withEnvironment({ PULUMI_BACKEND_URL: backend });
  return new States(await projectIn(projectFolder())).of(bottle);
}

describe("a bottle of another project", () => {
  it("in a folder's backend that only its metadata.json names: known or lost", async () => {
    const folder = projectFolder();
    const backend = `file://${realpathSync(temporaryFolder())}`;
    expect(await known(bottleOf(folder, "here", backend))).toEqual({ knowledge: "known", project: folder, backend });
    expect(await known(bottleOf(folder, "gone", backend))).toEqual({ knowledge: "lost", project: folder, backend });
    expect(await known(bottleOf(folder, "here", `${backend}/none`))).toMatchObject({ knowledge: "lost" });
    expect((await known(bottleOf(folder, "here", backend, { recorded: false }))).knowledge).toBe("unknown");
  });

  it("in a remote backend that is not this project's: unknown, unasked, and named without its credentials", async () => {
    const folder = projectFolder();
    expect(await known(bottleOf(folder, "here", remote))).toEqual({ knowledge: "unknown", project: folder, backend: shown });
    expect(await known(bottleOf(folder, "here", remote), "https://api.pulumi.com")).toEqual({ knowledge: "unknown", project: folder, backend: shown });
    expect(pulumi.calls()).toEqual([]);
  });

  it("whose metadata.json claims a backend that its instance id was not made of: unknown", async () => {
    const folder = projectFolder();
    const bottle = { ...bottleOf(folder, "here", `file://${realpathSync(temporaryFolder())}`), instance: "00000000" };
    expect((await known(bottle)).knowledge).toBe("unknown");
    expect(pulumi.calls()).toEqual([]);
  });

  it("whose project is gone: lost", async () => {
    expect(await known({ ...bottleOf(projectFolder(), "here", remote), folder: "/none/state/here" })).toEqual({ knowledge: "lost" });
  });
});

describe("a bottle in this project's own remote backend", () => {
  it("is asked for, in its organisation: known, lost, or unknown where no answer comes", async () => {
    const folder = projectFolder();
    expect(await known(bottleOf(folder, "here", remote), remote)).toEqual({ knowledge: "known", project: folder, backend: shown });
    expect((await known(bottleOf(folder, "team", "https://api.pulumi.com", { organization: "acme" }), "https://api.pulumi.com")).knowledge).toBe("known");
    expect(pulumi.calls()).toEqual(["stack ls --json --non-interactive", "stack ls --json --non-interactive --organization acme"]);
    expect((await known(bottleOf(folder, "gone", remote), remote)).knowledge).toBe("lost");
    expect((await known(bottleOf(folder, "here", "s3://broken"), "s3://broken")).knowledge).toBe("unknown");
  });

  it("is the one meant by its name, whatever its organisation", async () => {
    const folder = projectFolder();
    const [own, other] = [bottleOf(folder, "team", "https://api.pulumi.com", { organization: "acme" }), { ...bottleOf(projectFolder(), "team", remote) }];
    const inspected = [own, other].map(({ instance, stack, folder: state }) => ({
      ...{ Id: instance, Name: `/${instance}`, State: { Status: "running", Running: true, StartedAt: "", ExitCode: 0 } },
      Config: { Labels: { "bottle.instance": instance, "bottle.stack": stack, "bottle.project": "fleet", "com.docker.compose.project.working_dir": state } },
    }));
    const docker = fakeProgram("docker", [["ps *", "1\n2\n"], ["inspect *", JSON.stringify(inspected)], ["*", ""]]);
    withEnvironment({ PATH: `${docker.path}:${process.env["PATH"]}`, PULUMI_BACKEND_URL: "https://api.pulumi.com" });
    expect((await findBottle("team", await projectIn(folder), process.env)).instance).toBe(own.instance);
  });
});

it.each([
  ["https://api.pulumi.com", "https://api.pulumi.com"],
  ["file:///srv/a@b/backend", "file:///srv/a@b/backend"],
  [remote, shown],
  ["postgres://u:p@ss@db.example.com:5432/states?sslmode=require&password=x", "postgres://db.example.com:5432/states"],
  ["azblob://states?storage_account=x#y", "azblob://states"],
  ["https://token@pulumi.example.com/a", "https://pulumi.example.com/a"],
])("the backend %s is shown as %s", (url, as) => {
  expect(shownBackend(url)).toBe(as);
});

it("ls names the backend of a bottle that it cannot tell of", () => {
  const text = render([{ stack: "a", instance: "12345678", state: "up", health: "healthy", pulumi: "unknown", backend: shown, pending_requests: 0, reap: "bottle down --lost 12345678" }]);
  expect(text).toContain(`its stack is in ${shown}`);
});
