// Rules about containers: each calls out what opens a container, by path, and leaves a good one alone.
import { describe, expect, it } from "vitest";
import { capabilitiesDropped } from "../../policies/containers/capabilities-dropped.ts";
import { composeFileReadable } from "../../policies/containers/compose-file-readable.ts";
import { imagesPinned } from "../../policies/containers/images-pinned.ts";
import { limitsSet } from "../../policies/containers/limits-set.ts";
import { noHostMounts } from "../../policies/containers/no-host-mounts.ts";
import { noHostNamespaces } from "../../policies/containers/no-host-namespaces.ts";
import { noNewPrivileges } from "../../policies/containers/no-new-privileges.ts";
import { noPublishedPorts } from "../../policies/containers/no-published-ports.ts";
import { nonRoot } from "../../policies/containers/non-root.ts";
import { notPrivileged } from "../../policies/containers/not-privileged.ts";
import { readOnlyRoot } from "../../policies/containers/read-only-root.ts";
import { COMMAND, composeFile, findings, goodService, NOT_KNOWN, up, type Subject } from "./harness.ts";

const rules = [capabilitiesDropped, composeFileReadable, imagesPinned, limitsSet, noHostMounts, noHostNamespaces, noNewPrivileges, noPublishedPorts, nonRoot, notPrivileged, readOnlyRoot];
const service = "stdin: services.agent";

/** The paths that a rule reports. */
async function paths(rule: (typeof rules)[number], subject: Subject, settings?: object): Promise<string[]> {
  const path = /^((?:stdin: (?=services|volumes|networks|configs|secrets|build))?[^:]+): /;
  return (await findings(rule, subject, settings)).map((message) => path.exec(message)?.[1] ?? message);
}

describe.each(rules.map((rule) => [rule.name, rule] as const))("%s", (_, rule) => {
  it("has nothing against a good service", async () => {
    expect(await findings(rule, up())).toEqual([]);
  });

  it("leaves other resources alone", async () => {
    expect(await findings(rule, { type: "random:index/randomId:RandomId", props: { stdin: composeFile({ privileged: true }) } })).toEqual([]);
  });
});

describe("no-published-ports", () => {
  it.each<[string, object]>([
    ["in the short form", { ports: ["8080:80"] }],
    ["in the long form", { ports: [{ target: 80, published: "8080" }] }],
    ["for the host's loopback alone", { ports: ["127.0.0.1:8080:80"] }],
    ["of the container's port alone", { ports: [80] }],
  ])("reports a port %s", async (_, change) => {
    expect(await paths(noPublishedPorts, up(change))).toEqual([`${service}.ports[0]`]);
  });

  it("takes a service out that the team excepts", async () => {
    expect(await findings(noPublishedPorts, up({ ports: ["80:80"] }), { exceptServices: ["agent"] })).toEqual([]);
  });

  it("sees docker.Container", async () => {
    expect(await paths(noPublishedPorts, { type: "docker:index/container:Container", props: { ports: [{ internal: 80 }] } })).toEqual(["ports[0]"]);
    expect(await findings(noPublishedPorts, { type: "docker:index/container:Container", props: { publishAllPorts: true } })).toHaveLength(1);
  });
});

describe("no-host-namespaces", () => {
  it.each<[string, string]>([
    ["network_mode", "host"],
    ["network_mode", "service:pipelock"],
    ["network_mode", "container:other"],
    ["network_mode", "bridge"],
    ["pid", "host"],
    ["pid", "service:egress"],
    ["ipc", "host"],
    ["ipc", "shareable"],
    ["uts", "host"],
    ["userns_mode", "host"],
    ["cgroup", "host"],
    ["cgroup_parent", "/"],
  ])("reports %s: %s", async (key, value) => {
    expect(await paths(noHostNamespaces, up({ [key]: value }))).toEqual([`${service}.${key}`]);
  });

  it("takes no network and a private ipc", async () => {
    expect(await findings(noHostNamespaces, up({ network_mode: "none", ipc: "private", cgroup: "private" }))).toEqual([]);
  });

  it("reports a name for the host, in both forms", async () => {
    expect(await findings(noHostNamespaces, up({ extra_hosts: ["h:host-gateway"] }))).toHaveLength(1);
    expect(await findings(noHostNamespaces, up({ extra_hosts: { h: "host-gateway" } }))).toHaveLength(1);
  });

  it("sees docker.Container", async () => {
    expect(await paths(noHostNamespaces, { type: "docker:index/container:Container", props: { networkMode: "host", pidMode: "host" } })).toEqual(["networkMode", "pidMode"]);
  });
});

describe("no-host-mounts", () => {
  it.each<[string]>([
    ["/"],
    ["/etc"],
    ["/etc/passwd"],
    ["/var/run/docker.sock"],
    ["/run/docker.sock"],
    ["//var/run/docker.sock"],
    ["/srv/../var/run/docker.sock"],
    ["/run/containerd/containerd.sock"],
    ["/proc"],
    ["/sys/fs/cgroup"],
    ["/dev"],
    ["/dev/shm"],
    ["/run/user/1000"],
    ["/home"],
    ["/home/me"],
    ["/home/me/"],
    ["/root"],
    ["/home/me/.ssh"],
    ["/home/me/.aws/credentials"],
    ["/home/me/.config/gh"],
    ["/var/lib/docker/volumes"],
    ["/srv/engine/docker.sock"],
    ["~"],
    ["~/.ssh"],
    [".."],
    ["../.."],
  ])("reports %s, in both forms", async (source) => {
    expect(await findings(noHostMounts, up({ volumes: [`${source}:/x:ro`] }))).toHaveLength(1);
    expect(await paths(noHostMounts, up({ volumes: [{ type: "bind", source, target: "/x" }] }))).toEqual([`${service}.volumes[0].source`]);
  });

  it.each<[string]>([["/srv/project/state/s/agent/ca"], ["/home/me/code/service"], ["/root/bottle/state/s/egress/rules"], ["/run/user/1000/bottle-1000/00000000"], ["/dev/shm/bottle-1000/00000000"], ["./files"]])("takes %s", async (source) => {
    expect(await findings(noHostMounts, up({ volumes: [`${source}:/x`, { type: "bind", source, target: "/y" }] }))).toEqual([]);
  });

  it("takes named and anonymous volumes and memory", async () => {
    const volumes = ["home:/home/agent", "/cache", { type: "volume", source: "home", target: "/y" }, { type: "tmpfs", target: "/z" }];
    expect(await findings(noHostMounts, up({ volumes }, { volumes: { home: { name: "b-home", labels: {} } } }))).toEqual([]);
  });

  it("sees through a named volume that is a folder of the host", async () => {
    const volumes = { home: { driver_opts: { type: "none", o: "bind", device: "/" } } };
    expect(await paths(noHostMounts, up({ volumes: ["home:/x"] }, { volumes }))).toEqual(["stdin: volumes.home.driver_opts"]);
    expect(await findings(noHostMounts, up({ volumes: ["home:/x"] }, { volumes: { home: { driver: "sshfs" } } }))).toHaveLength(1);
  });

  it("sees configs and secrets that are files of the host", async () => {
    expect(await paths(noHostMounts, up({ configs: ["c"], secrets: [{ source: "s" }] }, { configs: { c: { file: "/etc/shadow" } }, secrets: { s: { file: "~/.netrc" } } }))).toEqual([
      "stdin: configs.c.file",
      "stdin: secrets.s.file",
    ]);
  });

  it("reports other ways to the host", async () => {
    expect(await findings(noHostMounts, up({ volumes_from: ["x"] }))).toHaveLength(1);
    expect(await findings(noHostMounts, up({ use_api_socket: true }))).toHaveLength(1);
    expect(await findings(noHostMounts, up({ volumes: [{ type: "npipe", source: "x", target: "y" }] }))).toHaveLength(1);
  });

  it("takes what the team allows, with all in it, and no neighbour", async () => {
    expect(await findings(noHostMounts, up({ volumes: ["/etc/company/ca:/x"] }), { allowed: ["/etc/company"] })).toEqual([]);
    expect(await findings(noHostMounts, up({ volumes: ["/etc/company-2:/x"] }), { allowed: ["/etc/company"] })).toHaveLength(1);
  });

  it("sees docker.Container, in both forms", async () => {
    const type = "docker:index/container:Container";
    expect(await findings(noHostMounts, { type, props: { volumes: [{ hostPath: "/var/run/docker.sock", containerPath: "/s" }] } })).toHaveLength(1);
    expect(await findings(noHostMounts, { type, props: { mounts: [{ type: "bind", source: "/", target: "/s" }] } })).toHaveLength(1);
  });
});

describe("not-privileged", () => {
  it.each<[string, object]>([
    ["privileged", { privileged: true }],
    ["privileged", { privileged: "yes" }],
    ["privileged", { privileged: "$" }],
    ["devices", { devices: ["/dev/kvm:/dev/kvm"] }],
    ["device_cgroup_rules", { device_cgroup_rules: ["c 1:1 rwm"] }],
    ["gpus", { gpus: "all" }],
    ["deploy", { deploy: { resources: { reservations: { devices: [{ capabilities: ["gpu"] }] } } } }],
    ["post_start", { post_start: [{ command: "x", user: "root", privileged: true }] }],
  ])("reports %s", async (key, change) => {
    expect(await paths(notPrivileged, up(change))).toEqual([`${service}.${key}`]);
  });
});

describe("capabilities-dropped", () => {
  it("reports capabilities that stay or are added", async () => {
    expect(await paths(capabilitiesDropped, up({ cap_drop: ["NET_RAW"] }))).toEqual([`${service}.cap_drop`]);
    expect(await paths(capabilitiesDropped, up({ cap_drop: undefined }))).toEqual([`${service}.cap_drop`]);
    expect(await paths(capabilitiesDropped, up({ cap_add: ["CHOWN", "SYS_ADMIN"] }), { allowed: ["CAP_CHOWN"] })).toEqual([`${service}.cap_add[1]`]);
  });

  it("takes them in any spelling", async () => {
    expect(await findings(capabilitiesDropped, up({ cap_drop: ["all"], cap_add: ["CAP_CHOWN"] }), { allowed: ["chown"] })).toEqual([]);
  });
});

describe("no-new-privileges", () => {
  it.each<[string, string[]]>([
    ["a missing option", []],
    ["one that is off", ["no-new-privileges:false"]],
    ["seccomp turned off", ["no-new-privileges", "seccomp:unconfined"]],
    ["AppArmor turned off", ["no-new-privileges:true", "apparmor=unconfined"]],
    ["SELinux turned off", ["no-new-privileges=true", "label:disable"]],
    ["SELinux exchanged", ["no-new-privileges", "label=type:spc_t"]],
  ])("reports %s", async (_, security_opt) => {
    expect(await findings(noNewPrivileges, up({ security_opt }))).toHaveLength(1);
  });
});

describe("read-only-root", () => {
  it.each([[false], [undefined], ["no"], ["maybe"]])("reports %s", async (read_only) => {
    expect(await paths(readOnlyRoot, up({ read_only }))).toEqual([`${service}.read_only`]);
  });
});

describe("non-root", () => {
  it.each([[undefined], ["0"], [0], ["0:0"], ["root"], ["node"], ["00"], ["1000:0"], ["1000:docker"], [""]])("reports user %s", async (user) => {
    expect(await paths(nonRoot, up({ user }))).toEqual([`${service}.user`]);
  });

  it.each([["1000"], [1000], ["1000:1000"]])("takes user %s", async (user) => {
    expect(await findings(nonRoot, up({ user }))).toEqual([]);
  });

  it("reports groups that are added", async () => {
    expect(await paths(nonRoot, up({ group_add: ["docker"] }))).toEqual([`${service}.group_add[0]`]);
  });
});

describe("limits-set", () => {
  it.each(["cpus", "mem_limit", "pids_limit", "logging"])("reports a missing %s", async (key) => {
    expect(await paths(limitsSet, up({ [key]: undefined }))).toEqual([`${service}.${key}`]);
  });

  it("takes limits under deploy, and no endless ones", async () => {
    const none = { cpus: undefined, mem_limit: undefined, pids_limit: undefined };
    expect(await findings(limitsSet, up({ ...none, deploy: { resources: { limits: { cpus: "1", memory: "1g", pids: 100 } } } }))).toEqual([]);
    expect(await findings(limitsSet, up({ cpus: 0, pids_limit: -1 }))).toHaveLength(2);
  });

  it("wants logs bounded", async () => {
    expect(await findings(limitsSet, up({ logging: { driver: "json-file" } }))).toHaveLength(1);
    expect(await findings(limitsSet, up({ logging: { driver: "syslog", options: { "max-size": "1m" } } }))).toHaveLength(1);
    expect(await findings(limitsSet, up({ logging: { driver: "local" } }))).toEqual([]);
  });
});

describe("images-pinned", () => {
  const build = (base: string): Subject => ({ type: COMMAND, props: { create: "x", stdin: JSON.stringify({ image: "bottle-egress:0123456789abcdef", build: { args: { BASE: base }, labels: {} } }) } });

  it.each([["debian"], ["debian:latest"], ["ghcr.io/x/y:2.3.0"], ["x@sha256:short"], [undefined]])("reports %s", async (image) => {
    expect(await paths(imagesPinned, up({ image }))).toEqual([`${service}.image`]);
  });

  it("takes what is built here and called by its content's hash, and asks for its base", async () => {
    expect(await findings(imagesPinned, up({ image: "bottle-agent-claude:47ac6e3bcb024e94" }))).toEqual([]);
    expect(await paths(imagesPinned, build("debian:trixie-slim"))).toEqual(["stdin: build.args.BASE"]);
    expect(await findings(imagesPinned, build(`debian@sha256:${"a".repeat(64)}`))).toEqual([]);
  });

  it("takes what the team trusts by tag", async () => {
    expect(await findings(imagesPinned, up({ image: "registry.test/base:3" }), { trusted: ["registry.test/*"] })).toEqual([]);
    expect(await findings(imagesPinned, up({ image: "registry-test/base:3" }), { trusted: ["registry.test/*"] })).toHaveLength(1);
  });

  it("is advisory: teams with a registry make it mandatory", () => {
    expect(imagesPinned.enforcementLevel).toBe("advisory");
  });
});

describe("compose-file-readable", () => {
  it.each(["extends", "env_file", "provider", "build", "develop", "credential_spec", "external_links", "a_key_of_tomorrow"])("reports the key %s of a service", async (key) => {
    expect(await paths(composeFileReadable, up({ [key]: "x" }))).toEqual([`${service}.${key}`]);
  });

  it("reports what Compose brings in from elsewhere", async () => {
    expect(await findings(composeFileReadable, up({}, { include: ["other.yml"] }))).toEqual([expect.stringContaining("stdin: include: is a key this pack does not check")]);
  });

  it("reports interpolation, and takes dollars that are none", async () => {
    expect(await paths(composeFileReadable, up({ user: "${AGENT_USER}" }))).toEqual([`${service}.user`]);
    expect(await paths(composeFileReadable, up({ command: ["$IMAGE"] }))).toEqual([`${service}.command[0]`]);
    expect(await findings(composeFileReadable, up({ environment: ["A=costs $$5 $${HOME}", "LANG"] }))).toEqual([]);
  });

  it.each<[string, string]>([
    ["broken YAML", "services:\n  agent: {image: x\n"],
    ["several documents", `${composeFile()}---\nservices: {agent: {privileged: true}}\n`],
    ["a key given twice", "services:\n  agent: {image: x}\nservices:\n  agent: {image: y}\n"],
    ["a tag of Compose's own", "services:\n  agent:\n    ports: !reset []\n"],
    ["services that are a list", "services: [agent]\n"],
    ["services in a later document", "x: 1\n---\nservices: {agent: {privileged: true}}\n"],
  ])("reports %s", async (_, stdin) => {
    expect(await paths(composeFileReadable, { type: COMMAND, props: { create: "x", stdin } })).toEqual(["stdin"]);
  });

  it("resolves anchors and merge keys, as Compose does", async () => {
    const stdin = "x-open: &open {privileged: true}\nservices:\n  agent: {<<: *open, image: x}\n";
    expect(await paths(notPrivileged, { type: COMMAND, props: { create: "x", stdin } })).toEqual([`${service}.privileged`]);
  });

  it.each([
    ["docker compose -f compose.yml up -d"],
    ["cd /x && docker compose up"],
    ["docker-compose --file x.yml up"],
    ["docker run --privileged alpine"],
    ["docker container create alpine"],
    ["podman run alpine"],
    ["docker network connect bridge agent"],
    ["docker exec --user 0 --privileged agent sh"],
  ])("reports containers started where no policy reads them: %s", async (create) => {
    expect(await paths(composeFileReadable, { type: COMMAND, props: { create } })).toEqual(["create"]);
  });

  it("reports a command that reads another file than the one policies read", async () => {
    const { stdin } = up().props;
    for (const create of ["docker compose -f open.yml up", "docker compose --file - --file open.yml up", "docker compose up", "docker run alpine; docker compose --file - up"]) {
      expect(await paths(composeFileReadable, { type: COMMAND, props: { create, stdin } })).toEqual(["create"]);
    }
    expect(await paths(composeFileReadable, { type: COMMAND, props: { create: "exec node '/srv/bottle/components/compose/up.ts'", stdin: '{"serv\\u0069ces": {}}' } })).toEqual(["create"]);
  });

  it.each([["docker network ls"], ["docker exec agent true"], ["docker compose -p b down"]])("takes %s", async (create) => {
    expect(await findings(composeFileReadable, { type: COMMAND, props: { create, delete: "docker compose -p b down" } })).toEqual([]);
  });

  it("reports other resources that run code on the engine", async () => {
    expect(await findings(composeFileReadable, { type: "docker:index/service:Service", props: {} })).toHaveLength(1);
  });

  it("reports a script that is not known yet", async () => {
    expect(await findings(composeFileReadable, { type: COMMAND, props: { create: NOT_KNOWN } })).toEqual(["create: is not known before the update, so the rule could not run; make it a plain value that depends on no resource's output"]);
  });
});

it("no message holds a value", async () => {
  const canary = "CANARY-7f3a";
  const everywhere = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(everywhere) : typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, everywhere(inner)])) : canary;
  const change = everywhere({ ...goodService, ports: [1], volumes: [1, { type: 1, source: 1 }], privileged: 1, cap_add: [1], pid: 1, ipc: 1, devices: [1], group_add: [1], environment: { A: 1 }, extends: { file: 1 } }) as object;
  for (const rule of rules) for (const message of await findings(rule, up(change))) expect(message).not.toContain(canary);
});
