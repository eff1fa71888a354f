import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { renderComposeFile } from "../../components/compose/compose-file.ts";
import { compareContainers, type ComposeDocument } from "../../components/drift/containers.ts";
import type { Inspected } from "../../components/drift/look.ts";
import type { ServiceSpec } from "../../components/service-spec.ts";
import { identity } from "./fixtures.ts";

const spec: ServiceSpec = {
  name: "agent",
  image: "debian:trixie-slim",
  user: "1000:1000",
  environment: { PLAIN: "a$b", INHERITED: null },
  networks: { internal: { address: "10.0.0.2" } },
  hosts: {},
  mounts: [
    { kind: "bind", source: "/srv/bundle.crt", target: "/etc/bundle.crt", readOnly: true },
    { kind: "volume", source: "home", target: "/home/agent", readOnly: false },
  ],
  tmpfs: {},
  limits: { cpus: 1.5, memory: "512m", pids: 100 },
  readOnlyRoot: true,
  capabilities: ["CHOWN"],
  dependsOn: [],
};
const document = parse(renderComposeFile({ identity, services: [spec], networks: { internal: "net-internal" }, volumes: { home: { name: "vol-home" } } })) as ComposeDocument;

/** The container as Docker tells of it, with one thing changed. */
function inspected(change: (container: Record<string, any>) => void = () => {}): Inspected {
  const container = {
    Id: "c1",
    Name: "/bottle-agent-1",
    State: { Status: "running", ExitCode: 0 },
    Config: { Image: "debian:trixie-slim", User: "1000:1000", Env: ["PLAIN=a$b", "INHERITED=x", "PATH=/bin"], Labels: { "com.docker.compose.service": "agent", "com.docker.compose.config-hash": "h1" } },
    HostConfig: {
      ...{ Memory: 512 * 1024 ** 2, NanoCpus: 1_500_000_000, PidsLimit: 100, CpuShares: 0, CpuQuota: 0, CpusetCpus: "" },
      ...{ RestartPolicy: { Name: "unless-stopped" }, ReadonlyRootfs: true, Privileged: false, CapAdd: ["CAP_CHOWN"], CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges:true"] },
    },
    Mounts: [
      { Type: "bind", Source: "/host_mnt/srv/bundle.crt", Destination: "/etc/bundle.crt", RW: false },
      { Type: "volume", Name: "vol-home", Source: "/var/lib/docker/volumes/vol-home/_data", Destination: "/home/agent", RW: true },
      { Type: "volume", Name: "f".repeat(64), Source: "/x", Destination: "/of-the-image", RW: true },
    ],
    NetworkSettings: { Networks: { "net-internal": { IPAMConfig: { IPv4Address: "10.0.0.2" } } } },
  };
  change(container as never);
  return container as never;
}

const found = (container: Inspected, hashes?: Record<string, string>) => compareContainers(document, [container], hashes).map(({ kind, problem }) => `${kind}: ${problem}`);

describe("compareContainers", () => {
  it("finds nothing in a container that is as declared, whatever it inherited", () => {
    expect(found(inspected(), { agent: "h1" })).toEqual([]);
    expect(found(inspected((c) => (c["Config"].Env = ["PLAIN=a$b"])))).toEqual([]);
    expect(found(inspected((c) => (c["State"].Health = { Status: "starting" })))).toEqual([]);
  });

  it("finds one that is missing, and one that is not declared", () => {
    expect(compareContainers(document, [])).toEqual([{ service: "agent", kind: "missing", problem: "is missing" }]);
    expect(found(inspected((c) => (c["Config"].Labels["com.docker.compose.service"] = "other")))).toEqual(["missing: is missing", "undeclared: (container bottle-agent-1) is not declared"]);
  });

  it.each<[string, (container: Record<string, any>) => void]>([
    ["stopped: is stopped (exit code 137)", ({ State }) => Object.assign(State, { Status: "exited", ExitCode: 137 })],
    ["stopped: was never started", ({ State }) => Object.assign(State, { Status: "created" })],
    ["stopped: keeps exiting (exit code 1)", ({ State }) => Object.assign(State, { Status: "restarting", ExitCode: 1 })],
    ["paused: is paused", ({ State }) => Object.assign(State, { Status: "paused" })],
    ["unhealthy: is unhealthy", ({ State }) => Object.assign(State, { Health: { Status: "unhealthy" } })],
    ["changed: has the image other:1 instead of debian:trixie-slim", ({ Config }) => (Config.Image = "other:1")],
    ["changed: has another value of the variable PLAIN", ({ Config }) => (Config.Env = ["PLAIN=secret"])],
    ["changed: has a memory limit of 1073741824 instead of 536870912", ({ HostConfig }) => (HostConfig.Memory = 1024 ** 3)],
    ["changed: has a CPU limit of 2 instead of 1.5", ({ HostConfig }) => (HostConfig.NanoCpus = 2e9)],
    ["changed: has a limit of processes of 0 instead of 100", ({ HostConfig }) => (HostConfig.PidsLimit = null)],
    ["changed: has CPU shares, a quota or a CPU set", ({ HostConfig }) => (HostConfig.CpusetCpus = "0")],
    ["changed: has the restart policy no instead of unless-stopped", ({ HostConfig }) => (HostConfig.RestartPolicy = { Name: "no" })],
    ["changed: has privileged: true instead of false", ({ HostConfig }) => (HostConfig.Privileged = true)],
    ["changed: has capabilities added: CHOWN NET_ADMIN instead of CHOWN", ({ HostConfig }) => HostConfig.CapAdd.push("CAP_NET_ADMIN")],
    ["changed: lacks no-new-privileges:true", ({ HostConfig }) => (HostConfig.SecurityOpt = null)],
    ["changed: is not on the network net-internal", ({ NetworkSettings }) => (NetworkSettings.Networks = {})],
    ["changed: has another address than 10.0.0.2 on the network net-internal", ({ NetworkSettings }) => (NetworkSettings.Networks["net-internal"] = { IPAMConfig: null })],
    ["changed: is on the network bridge, which is not declared", ({ NetworkSettings }) => (NetworkSettings.Networks.bridge = {})],
    ["changed: lacks the declared mount at /etc/bundle.crt", ({ Mounts }) => (Mounts[0].RW = true)],
    ["changed: lacks the declared mount at /home/agent", ({ Mounts }) => (Mounts[1].Name = "vol-other")],
    ["changed: has a mount at /var/run/docker.sock, which is not declared", ({ Mounts }) => Mounts.push({ Type: "bind", Source: "/var/run/docker.sock", Destination: "/var/run/docker.sock", RW: true })],
  ])("%s", (expected, change) => {
    expect(found(inspected(change))).toEqual([expected]);
  });

  it("finds one that Compose made from another file", () => {
    expect(found(inspected(), { agent: "h2" })).toEqual(["changed: was made from another Compose file"]);
  });
});
