import { describe, expect, test } from "vitest";
import { cannotComplete, cannotStart, nextStep } from "../../scripts/setup/docker-engine.ts";
import { choosePackages, sidPreferences } from "../../scripts/setup/docker-install.ts";
import { type DockerState, parseVersions, shortcomings } from "../../scripts/setup/docker-state.ts";
import { type Machine, parseOsRelease } from "../../scripts/setup/machine.ts";

const socket = "unix:///var/run/docker.sock";
const good: DockerState = { client: "28.2.2", engine: "28.5.2", compose: "2.40.3", buildx: "0.29.1", endpoint: socket, chosen: false };
const silent: DockerState = { client: "28.2.2", endpoint: socket, chosen: false, error: "Cannot connect to the Docker daemon\nIs it running?" };
const debian: Machine = { platform: "linux", id: "debian", codename: "bookworm", root: true, apt: true, systemd: false };

describe("an engine's state", () => {
  test("versions of client and server", () => {
    expect(parseVersions('{"Client":{"Version":"28.2.2"},"Server":{"Version":"28.5.2+dfsg4"}}')).toEqual({ client: "28.2.2", engine: "28.5.2+dfsg4" });
    expect(parseVersions('{"Client":{"Version":"28.2.2"},"Server":null}')).toEqual({ client: "28.2.2" });
    expect(parseVersions("docker: command not found")).toEqual({});
  });

  test.each<[string, Partial<DockerState>, string[]]>([
    ["good", {}, []],
    ["no engine", { engine: undefined }, ["no engine answers"]],
    ["old engine", { engine: "26.1.5" }, ["engine 26.1.5 is older than 28.0.0, and ignores isolated gateways without a word"]],
    ["no Compose", { compose: undefined }, ["no Compose plugin"]],
    ["old Compose", { compose: "2.23.3" }, ["Compose 2.23.3 is older than 2.24.0"]],
    ["no buildx", { buildx: undefined }, ["no buildx plugin"]],
  ])("%s", (_, change, expected) => {
    expect(shortcomings({ ...good, ...change })).toEqual(expected);
  });
});

describe("the engine's packages", () => {
  const versions = (entries: Record<string, string>) => new Map(Object.entries(entries));
  const debianPackages = { "docker.io": "28.5.2+dfsg4-1", "docker-compose": "2.40.3-3", "docker-cli": "28.5.2+dfsg4-1", "docker-buildx": "0.29.1+ds1-4" };

  test("Debian's, beside the release's own containerd and runc", () => {
    expect(choosePackages(versions(debianPackages))).toEqual([
      "docker.io", "docker-compose", "docker-cli", "docker-buildx", "containerd", "runc", "iptables",
    ]);
  });

  test("Docker's own where they are configured, which bring their containerd", () => {
    const own = { "docker-ce": "5:29.1.0-1~debian.12~bookworm", "docker-compose-plugin": "2.40.3-1", "docker-ce-cli": "5:29.1.0-1", "containerd.io": "2.1.0-1", "docker-buildx-plugin": "0.30.0-1" };
    expect(choosePackages(versions({ ...debianPackages, ...own }))).toEqual([
      "docker-ce", "docker-compose-plugin", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "iptables",
    ]);
  });

  test("Ubuntu's", () => {
    expect(choosePackages(versions({ "docker.io": "28.2.2-0ubuntu1", "docker-compose-v2": "2.37.1", "docker-buildx": "0.21.3" }))?.slice(0, 3)).toEqual([
      "docker.io", "docker-compose-v2", "docker-buildx",
    ]);
  });

  test("none where the engine or Compose is too old, or a package is missing", () => {
    expect(choosePackages(versions({ ...debianPackages, "docker.io": "26.1.5+dfsg1-9" }))).toBeUndefined();
    expect(choosePackages(versions({ ...debianPackages, "docker-compose": "1.29.2-3" }))).toBeUndefined();
    const { "docker-buildx": _, ...without } = debianPackages;
    expect(choosePackages(versions(without))).toBeUndefined();
  });

  test("from sid come those packages and no others", () => {
    expect(sidPreferences).toMatch(/^Package: \*\nPin: release n=sid\nPin-Priority: -1$/m);
    expect(sidPreferences).toContain("Package: docker.io docker-cli docker-compose docker-buildx tini-static\nPin: release n=sid\nPin-Priority: 500");
  });
});

describe("an engine that does not answer", () => {
  test("is started or installed by root on Debian", () => {
    expect(cannotStart(silent, debian, undefined)).toBeUndefined();
    expect(cannotStart(silent, debian, "/usr/sbin/dockerd")).toBeUndefined();
  });

  test("on a socket that the user may not open: the group", () => {
    const state = { ...silent, error: "permission denied while trying to connect to the Docker daemon socket" };
    expect(cannotStart(state, { ...debian, root: false }, "/usr/sbin/dockerd")?.message).toBe(
      `Docker engine: no engine answers at ${socket}: permission denied while trying to connect to the Docker daemon socket
  tried: docker version
  mend:  sudo usermod -aG docker "$USER", log out and in again, and run this again.`,
    );
  });

  test("at an endpoint that the user chose is never installed here", () => {
    const state = { ...silent, endpoint: "ssh://build.example", chosen: true };
    expect(cannotStart(state, debian, undefined)?.message).toBe(
      `Docker engine: no engine answers at ssh://build.example: Cannot connect to the Docker daemon
  tried: docker version
  mend:  Start that engine, or unset DOCKER_HOST and run \`docker context use default\` for this machine's own.`,
    );
  });

  test("is started by the user's own hand without root", () => {
    expect(cannotStart(silent, { ...debian, root: false, systemd: true }, "/usr/bin/dockerd")?.message).toContain("mend:  sudo systemctl enable --now docker, then run this again.");
  });

  test("on other systems: their next step", () => {
    const elsewhere = { ...debian, apt: false };
    expect(cannotStart(silent, { ...elsewhere, id: "fedora" }, undefined)?.message).toContain("mend:  sudo dnf install moby-engine");
    expect(cannotStart(silent, { ...debian, root: false }, undefined)?.message).toContain("mend:  sudo node scripts/bootstrap.mjs scripts/setup.ts docker");
    expect(nextStep({ ...elsewhere, platform: "darwin", id: "" })).toContain("brew install colima");
    expect(nextStep({ ...elsewhere, id: "alpine" })).toContain("Install Docker Engine ≥ 28.0.0");
  });
});

describe("an engine that answers but lacks something", () => {
  test("is completed by root on Debian, but never replaced", () => {
    expect(cannotComplete({ ...good, buildx: undefined }, { ...debian, root: false })?.message).toContain("no buildx plugin");
    expect(cannotComplete({ ...good, engine: "20.10.24" }, debian)?.message).toBe(
      `Docker engine: engine 20.10.24 is older than 28.0.0, and ignores isolated gateways without a word.
  tried: docker version; docker compose version; docker buildx version
  mend:  Update to Docker Engine ≥ 28.0.0, Compose ≥ 2.24.0 and buildx (https://docs.docker.com/engine/install/), and run this again.`,
    );
  });
});

test("os-release with and without quotes", () => {
  expect(parseOsRelease('ID=debian\nVERSION_CODENAME="bookworm"\nID_LIKE=\'a b\'\n# x\nPRETTY_NAME="Debian (12)"')).toEqual({
    ID: "debian", VERSION_CODENAME: "bookworm", ID_LIKE: "a b", PRETTY_NAME: "Debian (12)",
  });
});
