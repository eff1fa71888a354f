import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { machineFaults, olderThan, type MachineInput } from "../../components/machine/preflight.ts";
import { networkName } from "../../components/networks.ts";
import { networkRoles } from "../../components/subnets.ts";
import { fakeProgram, withEnvironment } from "./fake-program.ts";
import { identity, manifestOf, temporaryFolder, type Config } from "./fixtures.ts";

interface Network {
  readonly Id: string;
  readonly Name: string;
  readonly Labels?: Record<string, string>;
  readonly IPAM?: { readonly Config: readonly { readonly Subnet: string }[] };
}

interface FakeEngine {
  readonly info?: Record<string, unknown>;
  /** undefined: no plugin. */
  readonly compose?: string | undefined;
  readonly networks?: readonly Network[];
}

const host = "unix:///run/test.sock";
/** RFC 2544's range: no route of a host, so that clashes are only those a test makes. */
const subnet = "198.18.0.64/26";
const healthy = { ServerVersion: "28.5.2", Runtimes: { runc: {}, runsc: {} }, NCPU: 4, OperatingSystem: "Debian" };
const network = (name: string, cidr: string, labels: Record<string, string> = {}): Network => ({ Id: `${name}-0123456789abcdef`, Name: name, Labels: labels, IPAM: { Config: [{ Subnet: cidr }] } });

/** The faults of a bottle on a made-up engine. */
async function faults(config: Config = {}, engine: FakeEngine = {}, input: Partial<MachineInput> = {}): Promise<string[]> {
  const { info = healthy, networks = [] } = engine;
  const compose = "compose" in engine ? engine.compose : "2.40.3";
  const docker = fakeProgram("docker", [
    ["info *", JSON.stringify(info)],
    ["compose version*", compose === undefined ? { sh: "echo 'unknown command: docker compose' >&2; exit 1" } : `${compose}\n`],
    ["network ls*", networks.map(({ Id }) => `${Id}\n`).join("")],
    ["network inspect*", JSON.stringify(networks)],
  ]);
  withEnvironment({ PATH: docker.path });
  return machineFaults({
    project: "/nonexistent",
    identity,
    manifest: manifestOf(config),
    engine: { environment: { DOCKER_HOST: host }, host },
    subnet,
    networkNames: networkRoles.map((role) => networkName(identity, role)),
    environment: {},
    ...input,
  });
}

it("a machine that has everything has no fault", async () => {
  expect(await faults()).toEqual([]);
});

describe("the engine", () => {
  const tooOld = (version: string) => `Docker engine ${version}: is too old to cut a network off from its host; 28.0.0 or newer is needed. \`npm start\` says how to get one`;
  it.each<[string, FakeEngine, string]>([
    ["is too old", { info: { ...healthy, ServerVersion: "27.5.1" } }, tooOld("27.5.1")],
    ["is too old, by a distribution's version", { info: { ...healthy, ServerVersion: "20.10.24+dfsg1" } }, tooOld("20.10.24+dfsg1")],
    ["does not answer", { info: { ServerErrors: ["Cannot connect to the Docker daemon"] } }, `Docker engine ${host}: does not answer (Cannot connect to the Docker daemon); start it, or let \`npm start\` do it`],
    ["has no Compose", { compose: undefined }, "Docker Compose: the plugin is not there; install docker-compose-plugin (Debian: docker-compose), or let `npm start` do it"],
    ["has an old Compose", { compose: "v2.23.3" }, "Docker Compose 2.23.3: is too old; 2.24.0 or newer is needed"],
  ])("%s", async (_, engine, fault) => {
    expect(await faults({}, engine)).toEqual([fault]);
  });

  it.each(["28.0.0", "28.5.2+dfsg1", "29.1.0-rc.1"])("%s is new enough", async (version) => {
    expect(await faults({}, { info: { ...healthy, ServerVersion: version } })).toEqual([]);
  });

  it("is not there at all", async () => {
    withEnvironment({ PATH: "/nonexistent" });
    expect(
      await machineFaults({ project: "/x", identity, manifest: manifestOf(), engine: { environment: { DOCKER_HOST: host }, host }, subnet, networkNames: [], environment: {} }),
    ).toEqual([`Docker engine ${host}: does not answer (docker: spawn docker ENOENT); start it, or let \`npm start\` do it`]);
  });

  it.each(["ssh://me@far.example.com", "tcp://192.0.2.1:2375"])("%s is on another machine", async (far) => {
    expect(await faults({}, {}, { engine: { environment: { DOCKER_HOST: far }, host: far } })).toEqual([
      `Docker engine ${far}: is on another machine and cannot mount this one's files; choose a local one: docker context use default, or unset DOCKER_HOST`,
    ]);
  });

  it("lacks a runtime", async () => {
    expect(await faults({ agent: { runtime: "kata" } })).toEqual([
      'bottle:agent.runtime: the engine has no runtime "kata" (it has runc, runsc); register it in daemon.json, or leave the key out for runc',
    ]);
    expect(await faults({ agent: { runtime: "runsc" } })).toEqual([]);
  });

  it("has fewer CPUs than the agent is to have", async () => {
    expect(await faults({ agent: { limits: { cpus: 6 } } })).toEqual(["bottle:agent.limits.cpus: is 6, but the engine has 4; give 4 or less"]);
  });
});

describe("files", () => {
  it.each([
    [{ prompt: "p.md" }, 'bottle:agent.prompt: "p.md" is not there (looked for /nonexistent/p.md); create it, or correct the path'],
    [{ skills: ["/", "s"] }, 'bottle:agent.skills[1]: "s" is not there (looked for /nonexistent/s); create it, or correct the path'],
    [{ workspace: { path: "w" } }, 'bottle:agent.workspace.path: "w" is not there (looked for /nonexistent/w); create it, or correct the path'],
    [{ workspace: { mode: "mount", path: "w" } }, 'bottle:agent.workspace.path: "w" is not there (looked for /nonexistent/w); create it, or correct the path'],
    [{ build: { context: "c" } }, 'bottle:agent.build.context: "c" is not there (looked for /nonexistent/c); create it, or correct the path'],
    [{ prompt: "/" }, 'bottle:agent.prompt: "/" is not a file; give the path of a file'],
    [{ workspace: { path: "/etc/passwd" } }, 'bottle:agent.workspace.path: "/etc/passwd" is not a directory; give the path of a directory'],
  ])("%j", async (agent, fault) => {
    expect(await faults({ agent: { claude: { login: "none" }, ...agent } })).toEqual([fault]);
  });

  it("of another stack with the same slug", async () => {
    const project = temporaryFolder();
    mkdirSync(join(project, "state", identity.slug), { recursive: true });
    const metadata = (stack: string) => writeFileSync(join(project, "state", identity.slug, "metadata.json"), JSON.stringify({ stack }));
    metadata("review_one");
    expect(await faults({}, {}, { project })).toEqual([
      'stack name "Review/One": its slug "review-one" is taken by stack "review_one" (state/review-one); rename one (pulumi stack rename NAME), or destroy "review_one" and remove that folder',
    ]);
    metadata("Review/One");
    expect(await faults({}, {}, { project })).toEqual([]);
  });
});

describe("the environment", () => {
  const routes = (auth: object) => ({ network: { routes: [{ host: "api.example.com", name: "api", auth }] } });

  it("lacks a required token", async () => {
    const fault = "bottle:network.routes (api): the variable API_TOKEN is not set; export it before `pulumi up`, or set auth.optional: true";
    expect(await faults(routes({ variable: "API_TOKEN" }))).toEqual([fault]);
    expect(await faults(routes({ variable: "API_TOKEN" }), {}, { environment: { API_TOKEN: "" } })).toEqual([fault]);
    expect(await faults(routes({ variable: "API_TOKEN" }), {}, { environment: { API_TOKEN: "x" } })).toEqual([]);
    expect(await faults(routes({ variable: "API_TOKEN", optional: true }))).toEqual([]);
    expect(await faults(routes({ secret: "x" }))).toEqual([]);
  });

  it.each(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])("sets %s", async (name) => {
    const environment = { [name]: "http://user:s3cret@proxy.example.com" };
    expect(await faults({}, {}, { environment })).toEqual([
      `${name} is set: going out through a company proxy is not supported; where this machine can also go out directly, set bottle:network.proxy: direct`,
    ]);
    expect(await faults({ network: { proxy: "direct" } }, {}, { environment })).toEqual([]);
  });
});

describe("networks of the engine", () => {
  const pool = "198.18.0.0/24"; // not one that a manifest may name; enough for what is free in it

  it("hold a name of the bottle's", async () => {
    const name = networkName(identity, "egress");
    expect(await faults({}, { networks: [network(name, "192.0.2.0/24")] })).toEqual([
      `Docker network ${name}: belongs to somebody else (${`${name}-0123456789abcdef`.slice(0, 12)}, no label of this bottle); remove it: docker network rm ${name}`,
    ]);
  });

  it("are the bottle's own", async () => {
    expect(await faults({}, { networks: [network(networkName(identity, "egress"), subnet, { "bottle.instance": identity.instance })] })).toEqual([]);
  });

  it("hold the bottle's subnet", async () => {
    const manifest = { ...manifestOf(), network: { ...manifestOf().network, pool } };
    const [fault, ...others] = await faults({}, { networks: [network("theirs", "198.18.0.64/27")] }, { manifest });
    expect(others).toEqual([]);
    // Which one is free depends on the instance; that it is free, freeSubnet's own tests say.
    expect(fault).toMatch(/^bottle:network\.pool: this bottle's 198\.18\.0\.64\/26 is taken by Docker network theirs \(198\.18\.0\.64\/27\); set bottle:network\.subnet to a free \/26, such as 198\.18\.0\.(0|128|192)\/26$/);
  });

  it("hold the subnet that the manifest gives", async () => {
    const manifest = { ...manifestOf(), network: { ...manifestOf().network, pool, subnet } };
    expect((await faults({}, { networks: [network("theirs", "198.18.0.0/16")] }, { manifest }))[0]).toMatch(/^bottle:network\.subnet: this bottle's 198\.18\.0\.64\/26 is taken by Docker network theirs \(198\.18\.0\.0\/16\); the pool is exhausted: set bottle:network\.pool to a range of its own$/);
  });

  it("with IPv6 or no subnet at all do not matter", async () => {
    expect(await faults({}, { networks: [network("v6", "fd00::/64"), { Id: "host-0123456789", Name: "host" }] })).toEqual([]);
  });
});

it("every fault is told at once", async () => {
  const all = await faults(
    { agent: { claude: { login: "none" }, prompt: "p.md", runtime: "kata" }, network: { routes: [{ host: "api.example.com", auth: { variable: "T" } }] } },
    { info: { ...healthy, ServerVersion: "26.1.5" }, compose: "2.20.0", networks: [network("theirs", "198.18.0.0/16")] },
    { environment: { https_proxy: "x" } },
  );
  expect(all.map((fault) => fault.split(":", 2).join(":").slice(0, 30))).toEqual([
    "bottle:agent.prompt",
    "bottle:network.routes (api-exa",
    "https_proxy is set: going out ",
    "Docker engine 26.1.5: is too o",
    "Docker Compose 2.20.0: is too ",
    "bottle:agent.runtime",
    "bottle:network.pool",
  ]);
});

describe("olderThan", () => {
  it.each([
    ["27.9.9", "28.0.0", true],
    ["28.0.0", "28.0.0", false],
    ["28", "28.0.0", false],
    ["2.9.0", "2.24.0", true],
    ["2.24.0-desktop.1", "2.24.0", false],
    ["20.10.24+dfsg1", "20.10.25", true],
    ["5.0.0~rc1", "4.99.0", false],
    ["dev", "28.0.0", true],
  ])("%s than %s: %s", (version, minimum, expected) => {
    expect(olderThan(version, minimum)).toBe(expected);
  });
});
