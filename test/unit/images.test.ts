import { chmodSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { contextHash } from "../../components/images/context-hash.ts";
import { ensureImage } from "../../components/images/ensure.ts";
import { agentImage, egressImage, pipelockImage } from "../../components/images/plan.ts";
import { fakeProgram, withEnvironment } from "./fake-program.ts";
import { identity, manifestOf, temporaryFolder, type Config } from "./fixtures.ts";

function context(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "Dockerfile"), "FROM scratch\n");
  writeFileSync(join(folder, "src/run"), "#!/bin/sh\n");
  symlinkSync("run", join(folder, "src/link"));
  return folder;
}

describe("contextHash", () => {
  it("is 16 hex digits, the same for the same context", () => {
    const folder = context();
    expect(contextHash(folder, {})).toMatch(/^[0-9a-f]{16}$/);
    expect(contextHash(folder, {})).toBe(contextHash(folder, {}));
    expect(contextHash(context(), {})).toBe(contextHash(folder, {}));
  });

  it.each<[string, (folder: string) => void]>([
    ["a content", (folder) => writeFileSync(join(folder, "src/run"), "#!/bin/ba\n")],
    ["a file's name", (folder) => writeFileSync(join(folder, "src/other"), "")],
    ["an execute bit", (folder) => chmodSync(join(folder, "src/run"), 0o755)],
    ["a link's target", (folder) => symlinkSync("Dockerfile", join(folder, "link"))],
  ])("changes with %s", (_, change) => {
    const folder = context();
    const before = contextHash(folder, {});
    change(folder);
    expect(contextHash(folder, {})).not.toBe(before);
  });

  it("changes with what else goes into the image", () => {
    const folder = context();
    expect(contextHash(folder, { BASE: "a" })).not.toBe(contextHash(folder, { BASE: "b" }));
  });

  it("does not change with times of small files, nor with what tools leave behind", () => {
    const folder = context();
    const before = contextHash(folder, {});
    utimesSync(join(folder, "Dockerfile"), 1, 1);
    for (const name of ["__pycache__", ".pytest_cache", "node_modules", ".git"]) {
      mkdirSync(join(folder, "src", name));
      writeFileSync(join(folder, "src", name, "x"), "x");
    }
    expect(contextHash(folder, {})).toBe(before);
  });

  it("tells a file's name from the content before it", () => {
    const [one, two] = [temporaryFolder(), temporaryFolder()];
    writeFileSync(join(one, "a"), "xb");
    writeFileSync(join(two, "a"), "x");
    writeFileSync(join(two, "b"), "");
    expect(contextHash(one, {})).not.toBe(contextHash(two, {}));
  });
});

describe("the plan", () => {
  const plan = (config: Config, project = "/srv/project") => ({ manifest: manifestOf(config), identity, project, trust: ["/etc/company.crt"] });

  it("agent: any image, as it is named", () => {
    expect(agentImage(plan({ agent: { image: "registry.example.com/agent@sha256:00" } }))).toEqual({ image: "registry.example.com/agent@sha256:00" });
  });

  it("agent: the preset, shared by all bottles, anew for another base or version", () => {
    const request = agentImage(plan({}));
    expect(request.image).toMatch(/^bottle-agent-claude:[0-9a-f]{16}$/);
    expect(request.build).toMatchObject({ args: { BASE: "debian:trixie-slim", CLAUDE_CODE_VERSION: "2.1.331" }, labels: { "bottle.project": "bottle" }, trust: ["/etc/company.crt"] });
    expect(agentImage(plan({ agent: { claude: { version: "2.0.0" } } })).image).not.toBe(request.image);
    expect(agentImage(plan({ images: { base: "debian:sid" } })).image).not.toBe(request.image);
    expect(agentImage(plan({ agent: { limits: { pids: 20 } } })).image).toBe(request.image);
  });

  it("agent: built from a context of the project's, labelled so that it goes with its bottle", () => {
    const project = temporaryFolder();
    mkdirSync(join(project, "image"));
    const request = agentImage(plan({ agent: { build: { context: "image", target: "dev", args: { A: "1" } } } }, project));
    expect(request.image).toMatch(new RegExp(`^${identity.composeProject}-agent:[0-9a-f]{16}$`));
    expect(request.build).toEqual({ context: join(project, "image"), dockerfile: "Dockerfile", target: "dev", args: { A: "1" }, labels: identity.labels, trust: ["/etc/company.crt"] });
    expect(agentImage(plan({ agent: { build: { context: "image", target: "dev", args: { A: "2" } } } }, project)).image).not.toBe(request.image);
  });

  it("sidecars: as the manifest names them, else pipelock by name and egress built here", () => {
    expect(egressImage(plan({ images: { egress: "egress@sha256:00" } }))).toEqual({ image: "egress@sha256:00" });
    expect(egressImage(plan({})).image).toMatch(/^bottle-egress:[0-9a-f]{16}$/);
    expect(pipelockImage(plan({ images: { pipelock: "p@sha256:00" } }))).toEqual({ image: "p@sha256:00" });
    expect(pipelockImage(plan({}))).toEqual({ image: "ghcr.io/luckypipewrench/pipelock:2.3.0" });
  });
});

describe("ensureImage", () => {
  const missing = ["image inspect*", { sh: "exit 1" }] as const;
  const build = { context: "/srv/context", dockerfile: "Containerfile", target: "dev", args: { A: "1 2" }, labels: { "bottle.project": "bottle" }, trust: [] as string[] };
  /** No package client's configuration of this machine's own. */
  const bare = { NPM_CONFIG_USERCONFIG: undefined, PIP_CONFIG_FILE: undefined, HOME: "/nonexistent" };

  it("looks once where the image is there", async () => {
    const docker = fakeProgram("docker", [["image inspect*", "sha256:0"]]);
    withEnvironment({ PATH: docker.path });
    await ensureImage({ image: "x:1", build });
    expect(docker.calls()).toEqual(["image inspect --format {{.Id}} x:1"]);
  });

  it("pulls what is not built", async () => {
    const docker = fakeProgram("docker", [missing, ["pull *", ""]]);
    withEnvironment({ PATH: docker.path });
    await ensureImage({ image: "x:1" });
    expect(docker.calls()).toEqual(["image inspect --format {{.Id}} x:1", "pull x:1"]);
  });

  it("names an image that cannot be pulled, with the mend", async () => {
    withEnvironment({ PATH: fakeProgram("docker", [missing, ["pull *", { sh: "echo first >&2; echo 'manifest unknown' >&2; exit 1" }]]).path });
    await expect(ensureImage({ image: "x:1" })).rejects.toThrow(
      new Error("image x:1: is not in the engine's store and cannot be pulled: manifest unknown; load it with docker load, or name another under bottle:images"),
    );
  });

  it("builds with the machine's CAs as a context of its own", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "company.crt"), "PEM");
    const docker = fakeProgram("docker", [missing, ["buildx *", { sh: `for word in "$@"; do case "$word" in trust=*) ls "\${word#trust=}" > '${join(folder, "seen")}' ;; esac; done` }]]);
    withEnvironment({ ...bare, PATH: docker.path });
    await ensureImage({ image: "x:1", build: { ...build, trust: [join(folder, "company.crt")] } });
    expect(docker.calls()[1]).toMatch(
      /^buildx build --load --network host --progress plain --provenance=false --tag x:1 --build-context trust=\S+ --file \/srv\/context\/Containerfile --target dev --build-arg A=1 2 --label bottle\.project=bottle (--secret id=pipconf,src=\/etc\/pip\.conf )?\/srv\/context$/, // pip's third place is the machine's
    );
    expect(readFileSync(join(folder, "seen"), "utf8")).toBe("0.crt\n");
  });

  it("gives builds the machine's package clients' configuration as secrets only", async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, ".npmrc"), "//mirror.example.com/:_authToken=s3cret");
    const docker = fakeProgram("docker", [missing, ["buildx *", ""]]);
    withEnvironment({ ...bare, HOME: home, PATH: docker.path });
    await ensureImage({ image: "x:1", build });
    expect(docker.calls()[1]).toContain(`--secret id=npmrc,src=${home}/.npmrc`);
    expect(docker.calls()[1]).not.toContain("s3cret");
  });

  it("shows a failed build's last lines", async () => {
    withEnvironment({ ...bare, PATH: fakeProgram("docker", [missing, ["buildx *", { sh: "i=0; while [ $i -lt 20 ]; do echo line $i >&2; i=$((i+1)); done; exit 1" }]]).path });
    const lines = Array.from({ length: 12 }, (_, index) => `    line ${index + 8}`).join("\n");
    await expect(ensureImage({ image: "x:1", build })).rejects.toThrow(new Error(`image x:1: the build failed\n${lines}`));
  });

  it("says so where the disk is full", async () => {
    withEnvironment({ ...bare, PATH: fakeProgram("docker", [missing, ["buildx *", { sh: "echo 'write /x: no space left on device' >&2; exit 1" }]]).path });
    await expect(ensureImage({ image: "x:1", build })).rejects.toThrow(
      new Error("image x:1: the build failed\nthe disk is full; free some room (docker system df shows what Docker holds) and run `pulumi up` again\n    write /x: no space left on device"),
    );
  });
});
