import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { backendUrl } from "../../components/machine/backend.ts";
import { dockerEnvironment, findEngine, seesLocalFiles } from "../../components/machine/engine.ts";
import { fakeProgram, withEnvironment } from "./fake-program.ts";
import { temporaryFolder } from "./fixtures.ts";

/** This machine's Docker CLI says this of its current context. */
function contextIs(name: string, endpoint: string): void {
  const docker = fakeProgram("docker", [["context inspect*", `${name}\n${endpoint}\n`]]);
  withEnvironment({ PATH: docker.path, DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined });
}

describe("findEngine", () => {
  it("DOCKER_HOST, as the CLI has it", async () => {
    withEnvironment({ DOCKER_HOST: "unix:///run/other.sock", PATH: "/nonexistent" });
    expect(await findEngine()).toEqual({ environment: { DOCKER_HOST: "unix:///run/other.sock" }, host: "unix:///run/other.sock" });
  });

  it("the default context, by its endpoint: another context may be current at destroy", async () => {
    contextIs("default", "unix:///var/run/docker.sock");
    expect(await findEngine()).toEqual({ environment: { DOCKER_HOST: "unix:///var/run/docker.sock" }, host: "unix:///var/run/docker.sock" });
  });

  it("another context, by its name", async () => {
    contextIs("colima", "unix:///home/me/.colima/docker.sock");
    expect(await findEngine()).toMatchObject({ environment: { DOCKER_CONTEXT: "colima" }, host: "unix:///home/me/.colima/docker.sock", context: "colima" });
  });

  // The CLI prefers a DOCKER_HOST of the shell that runs destroy to DOCKER_CONTEXT.
  it("another context, whatever DOCKER_HOST a later shell has", async () => {
    contextIs("colima", "unix:///home/me/.colima/docker.sock");
    expect((await findEngine()).environment).toEqual({ DOCKER_CONTEXT: "colima", DOCKER_HOST: "" });
  });

  it("the usual socket where there is no CLI to ask", async () => {
    withEnvironment({ PATH: "/nonexistent", DOCKER_HOST: undefined });
    expect(await findEngine()).toEqual({ environment: { DOCKER_HOST: "unix:///var/run/docker.sock" }, host: "unix:///var/run/docker.sock" });
  });

  it.each([
    ["unix:///var/run/docker.sock", true],
    ["tcp://127.0.0.1:2375", true],
    ["ssh://me@far.example.com", false],
    ["tcp://192.0.2.1:2375", false],
  ])("%s sees this machine's files: %s", (host, expected) => {
    expect(seesLocalFiles({ environment: {}, host })).toBe(expected);
  });

  it("is chosen by its own selection alone", () => {
    withEnvironment({ DOCKER_HOST: "unix:///run/shell.sock", DOCKER_CONTEXT: "shell" });
    const environment = dockerEnvironment({ environment: { DOCKER_CONTEXT: "colima" }, host: "unix:///x" });
    expect([environment["DOCKER_HOST"], environment["DOCKER_CONTEXT"]]).toEqual([undefined, "colima"]);
  });
});

describe("backendUrl", () => {
  const project = (yaml: string) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "Pulumi.yaml"), yaml);
    return folder;
  };

  it("is the environment's, else the project's, else the login's, else Pulumi's own", () => {
    const home = temporaryFolder();
    writeFileSync(join(home, "credentials.json"), JSON.stringify({ current: "s3://login" }));
    const withUrl = project("name: x\nbackend:\n  url: s3://project\n");
    const without = project("name: x\n");
    expect(backendUrl(withUrl, { PULUMI_BACKEND_URL: "s3://environment", PULUMI_HOME: home })).toBe("s3://environment");
    expect(backendUrl(withUrl, { PULUMI_HOME: home })).toBe("s3://project");
    expect(backendUrl(without, { PULUMI_HOME: home })).toBe("s3://login");
    expect(backendUrl(without, { PULUMI_HOME: join(home, "none") })).toBe("https://api.pulumi.com");
  });

  it("has one form for one folder, so that a bottle is the same whoever asks", () => {
    const folder = project("name: x\nbackend:\n  url: file://./backend\n");
    mkdirSync(join(folder, "backend"));
    symlinkSync(folder, join(folder, "link"));
    const expected = `file://${join(folder, "backend")}`;
    expect(backendUrl(folder, {})).toBe(expected);
    expect(backendUrl(join(folder, "link"), {})).toBe(expected);
    for (const url of [expected, `${expected}/`, "file://backend", "file://link/backend"]) expect(backendUrl(folder, { PULUMI_BACKEND_URL: url }), url).toBe(expected);
    expect(backendUrl(folder, { PULUMI_BACKEND_URL: "file://~/none-such-folder" })).toBe(`file://${homedir()}/none-such-folder`);
    expect(backendUrl(folder, { PULUMI_BACKEND_URL: "https://api.example.com/" })).toBe("https://api.example.com");
  });
});
