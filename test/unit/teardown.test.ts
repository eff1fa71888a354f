import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderDown, renderSweep } from "../../components/compose/teardown.ts";
import { fakeProgram, type FakeProgram } from "./fake-program.ts";
import { identity, temporaryFolder } from "./fixtures.ts";

const { composeProject: project, instance } = identity;
const label = `--filter label=bottle.instance=${instance}`;
const answers = ["version*", "28.5.0"] as const;
const nothing = [answers, ["ps *", ""], ["network ls *", ""], ["volume ls *", ""], ["images *", ""], ["compose *", ""]] as const;

function sh(script: string, docker: FakeProgram, env: Record<string, string> = { DOCKER_HOST: "unix:///run/test.sock" }) {
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", script], { env: { PATH: docker.path, ...env }, encoding: "utf8" });
  return { status, stdout, stderr };
}

/** A state folder as `up` leaves it, with what people want to keep. */
function stateFolder(): string {
  const state = join(temporaryFolder(), "it's", "review-one");
  for (const folder of ["pipelock/ca", "egress/rules", "evidence"]) mkdirSync(join(state, folder), { recursive: true });
  for (const file of [".generation", "docker-compose.yml", "metadata.json", "pipelock/ca/ca-key.pem", "compose.log", "compose.log.1", "work-2026.bundle", "audit-1.jsonl", "evidence/x"]) {
    writeFileSync(join(state, file), file);
  }
  return state;
}

describe("the teardown scripts", () => {
  it.each([
    ["down", renderDown(identity, "/srv/project/state/review-one", "echo 'save the work'")],
    ["sweep", renderSweep(identity, "/srv/project/state/review-one", `/run/user/1234/bottle-1234/${instance}`)],
  ])("%s reads like this", async (name, script) => {
    await expect(script).toMatchFileSnapshot(`snapshots/teardown-${name}.sh`);
  });

  it.each([
    ["down", renderDown(identity, "/a b/it's $HOME `x` \"", ":")],
    ["down with several lines of saving", renderDown(identity, "/a", "if true; then\n  echo saved\nfi")],
    ["sweep", renderSweep(identity, "/a b/it's", "/run/it's/b")],
    ["sweep without a token folder", renderSweep(identity, "/a", undefined)],
  ])("%s is POSIX sh", (_, script) => {
    expect(spawnSync("sh", ["-n"], { input: script, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("down", () => {
  it("saves logs, then work, then takes the project down, then what is left by label", () => {
    const state = stateFolder();
    const docker = fakeProgram("docker", [answers, ["compose -p * logs*", "agent-1  | 2026 hello"], ["compose -p * down*", ""], ["exec agent*", ""], ["ps *", "c1\nc2"], ["rm *", ""], ["network ls *", "n1"], ["network inspect *", ""]]);
    expect(sh(renderDown(identity, state, "docker exec agent save; echo saved"), docker)).toEqual({ status: 0, stdout: "", stderr: "saved\n" });
    expect(docker.calls()).toEqual([
      "version --format {{.Server.Version}}",
      `compose -p ${project} logs --timestamps --no-color`,
      "exec agent save",
      `compose -p ${project} down --remove-orphans --timeout 2`,
      `ps --all --quiet ${label}`,
      "rm --force --volumes c1 c2",
      `network ls --format {{.Name}} ${label}`,
      "network inspect --format {{range .Containers}}{{.Name}} {{end}} n1",
    ]);
    expect(readFileSync(join(state, "compose.log"), "utf8")).toMatch(new RegExp(`^compose\\.log== \\d{4}-\\d\\d-\\d\\dT[\\d:]+Z ${project}\nagent-1  \\| 2026 hello`));
  });

  it("needs no state folder, and makes one only its user may read", () => {
    const state = join(temporaryFolder(), "gone");
    expect(sh(renderDown(identity, state, ":"), fakeProgram("docker", nothing))).toMatchObject({ status: 0, stderr: "" });
    expect(statSync(state).mode & 0o777).toBe(0o700);
    expect(statSync(join(state, "compose.log")).mode & 0o777).toBe(0o600);
  });

  it("goes on where logs cannot be had and work cannot be saved", () => {
    const state = stateFolder();
    const docker = fakeProgram("docker", [answers, ["compose -p * logs*", { sh: "echo no such service; exit 1" }], ["compose -p * down*", { sh: "exit 1" }], ["ps *", ""], ["network ls *", ""]]);
    expect(sh(renderDown(identity, state, "echo 'no space' >&2; exit 3"), docker)).toEqual({ status: 0, stdout: "", stderr: "no space\n" });
    expect(readFileSync(join(state, "compose.log"), "utf8")).toContain("(the logs could not be read in full)");
  });

  it("goes on where compose.log cannot be written", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    const docker = fakeProgram("docker", nothing);
    const { status, stderr } = sh(renderDown(identity, join(folder, "file", "state"), ":"), docker);
    expect(status).toBe(0);
    expect(stderr).toContain("compose.log could not be written");
    expect(docker.calls()).toContain(`compose -p ${project} down --remove-orphans --timeout 2`);
  });

  it("names a stranger's container on a network, which would block its removal", () => {
    const docker = fakeProgram("docker", [answers, ["compose *", ""], ["ps *", ""], ["network ls *", "b-egress"], ["network inspect *", "debugger "]]);
    expect(sh(renderDown(identity, stateFolder(), ":"), docker)).toMatchObject({
      status: 1,
      stderr: "container debugger is still on network b-egress and is not of this bottle; docker network disconnect b-egress debugger, then run pulumi destroy again\n",
    });
  });

  it("fails, saying why, where a container stays", () => {
    const docker = fakeProgram("docker", [answers, ["compose *", ""], ["ps *", "c1"], ["rm *", { sh: "echo 'device busy' >&2; exit 1" }]]);
    expect(sh(renderDown(identity, stateFolder(), ":"), docker)).toMatchObject({ status: 1, stderr: "containers of this bottle could not be removed: device busy\n" });
  });
});

describe.each([
  ["down", (state: string) => renderDown(identity, state, "docker exec agent save")],
  ["sweep", (state: string) => renderSweep(identity, state, join(state, "..", "tokens"))],
])("%s on an engine that does not answer", (_, render) => {
  it.each([
    [{ DOCKER_HOST: "unix:///run/test.sock" }, "unix:///run/test.sock"],
    [{ DOCKER_CONTEXT: "colima" }, "colima"],
  ])("fails and removes nothing: %j", (environment, engine) => {
    const state = stateFolder();
    mkdirSync(join(state, "..", "tokens"));
    const before = readdirSync(state, { recursive: true });
    const docker = fakeProgram("docker", [["version*", { sh: "echo cannot connect >&2; exit 1" }]]);
    expect(sh(render(state), docker, environment as Record<string, string>)).toEqual({
      status: 1,
      stdout: "",
      stderr: `the Docker engine this bottle was made on (${engine}) does not answer; start it and run pulumi destroy again\n`,
    });
    expect(docker.calls()).toEqual(["version --format {{.Server.Version}}"]);
    expect(readdirSync(state, { recursive: true })).toEqual(before);
    expect(existsSync(join(state, "..", "tokens"))).toBe(true);
  });
});

describe("sweep", () => {
  it("removes containers, networks, volumes and images by label, in an order that can work", () => {
    const docker = fakeProgram("docker", [answers, ["ps *", "c1"], ["network ls *", "n1\nn2"], ["volume ls *", "v1"], ["images *", "sha256:b\nsha256:a\nsha256:b"], ["rm *|network rm *|volume rm *|rmi *", ""]]);
    expect(sh(renderSweep(identity, "/nonexistent", undefined), docker)).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(docker.calls().slice(1)).toEqual([
      `ps --all --quiet ${label}`,
      "rm --force --volumes c1",
      `network ls --quiet ${label}`,
      "network rm n1 n2",
      `volume ls --quiet ${label}`,
      "volume rm --force v1",
      `images --quiet --no-trunc ${label}`,
      "rmi --force sha256:a sha256:b",
    ]);
  });

  it("asks for nothing but what carries this instance's label", () => {
    const docker = fakeProgram("docker", nothing);
    sh(renderSweep(identity, "/nonexistent", undefined), docker);
    for (const call of docker.calls().slice(1)) expect(call).toContain(label);
  });

  it("removes tokens, keys and rendered files, and keeps logs, evidence and work", () => {
    const state = stateFolder();
    const tokens = join(temporaryFolder(), "bottle-1", instance);
    mkdirSync(tokens, { recursive: true });
    writeFileSync(join(tokens, "TOKEN"), "s3cret");
    expect(sh(renderSweep(identity, state, tokens), fakeProgram("docker", nothing))).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(readdirSync(state, { recursive: true, encoding: "utf8" }).sort()).toEqual(["audit-1.jsonl", "compose.log", "compose.log.1", "evidence", "evidence/x", "work-2026.bundle"]);
    expect(existsSync(join(tokens, ".."))).toBe(false);
  });

  it("leaves another bottle's tokens", () => {
    const parent = join(temporaryFolder(), "bottle-1");
    for (const id of [instance, "other"]) mkdirSync(join(parent, id), { recursive: true });
    sh(renderSweep(identity, "/nonexistent", join(parent, instance)), fakeProgram("docker", nothing));
    expect(readdirSync(parent)).toEqual(["other"]);
  });

  it("removes a state folder in which nothing is kept", () => {
    const state = join(temporaryFolder(), "state");
    mkdirSync(join(state, "pipelock"), { recursive: true });
    expect(sh(renderSweep(identity, state, undefined), fakeProgram("docker", nothing)).status).toBe(0);
    expect(existsSync(state)).toBe(false);
  });

  it.each([
    ["networks", [["ps *", ""], ["network ls *", "n1"], ["network rm *", { sh: "echo 'n1 has active endpoints' >&2; exit 1" }]], "networks of this bottle could not be removed: n1 has active endpoints\n"],
    ["volumes", [["ps *", ""], ["network ls *", ""], ["volume ls *", "v1"], ["volume rm *", { sh: "echo 'in use' >&2; exit 1" }]], "volumes of this bottle could not be removed: in use\n"],
  ] as const)("fails where %s stay, and keeps the files for the next try", (_, cases, message) => {
    const state = stateFolder();
    const before = readdirSync(state, { recursive: true });
    expect(sh(renderSweep(identity, state, undefined), fakeProgram("docker", [answers, ...cases]))).toEqual({ status: 1, stdout: "", stderr: message });
    expect(readdirSync(state, { recursive: true })).toEqual(before);
  });

  it("fails where the engine stops answering half-way", () => {
    const docker = fakeProgram("docker", [answers, ["ps *", ""], ["network ls *", { sh: "exit 1" }]]);
    expect(sh(renderSweep(identity, "/nonexistent", undefined), docker).status).toBe(1);
  });

  it("does nothing more the second time", () => {
    const state = stateFolder();
    const script = renderSweep(identity, state, undefined);
    sh(script, fakeProgram("docker", nothing));
    const after = readdirSync(state, { recursive: true });
    expect(sh(script, fakeProgram("docker", nothing)).status).toBe(0);
    expect(readdirSync(state, { recursive: true })).toEqual(after);
  });
});
