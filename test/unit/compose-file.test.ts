import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { agentService, type AgentServiceInput } from "../../components/agent/service.ts";
import { renderComposeFile, type ComposeInput } from "../../components/compose/compose-file.ts";
import { egressService } from "../../components/egress/service.ts";
import { gitGateService } from "../../components/git-gate/service.ts";
import { identify } from "../../components/identity.ts";
import { pipelockService } from "../../components/pipelock/service.ts";
import { health, type ServiceSpec } from "../../components/service-spec.ts";
import { stateFolder } from "../../components/state-folder.ts";
import { networkSubnets } from "../../components/subnets.ts";
import { superviseService } from "../../components/supervise/service.ts";
import { identity, manifestOf, type Config } from "./fixtures.ts";

const folder = stateFolder("/srv/project", identity.slug);
const subnets = networkSubnets("10.192.4.64/26");
const user = "1234:1235";

function agent(config: Config, more: Partial<AgentServiceInput> = {}): ServiceSpec {
  const manifest = manifestOf(config);
  return agentService({
    manifest,
    image: "bottle-agent-claude:0123",
    uid: 1000,
    gid: 1001,
    limits: { ...manifest.agent.limits, cpus: manifest.agent.limits.cpus ?? 2 },
    folder,
    subnets,
    environment: {},
    proxyService: "egress",
    ...more,
  });
}

const pipelock = (behindEgress: boolean) => pipelockService({ image: "pipelock:2.3.0", user, cpus: 2, folder, subnets, behindEgress });
const egress = (tokenFolder: string | undefined) => egressService({ image: "bottle-egress:0123", user, cpus: 2, folder, subnets, supervise: false, tokenFolder, tokenVariables: ["GITHUB_TOKEN"] });
const gitGate = (config: Config, secrets: string, tokenVariables: readonly string[] = []) =>
  gitGateService({ image: "bottle-git-gate:0123", user, cpus: 2, git: manifestOf({ git: config }).git, folder, subnets, secrets, tokenVariables });
const volumes = { home: { name: "b-home" }, workspace: { name: "b-workspace", labels: { "bottle.seed": "1" } } };
const networks = { internal: "b-internal", transit: "b-transit", egress: "b-egress" };

describe("the Compose file", () => {
  it("without egress: pipelock is the agent's proxy", async () => {
    const text = renderComposeFile({
      identity,
      services: [pipelock(false), agent({}, { proxyService: "pipelock" })],
      networks: { internal: networks.internal, egress: networks.egress },
      volumes: { home: volumes.home },
    });
    await expect(text).toMatchFileSnapshot("snapshots/compose-without-egress.yml");
  });

  it("with egress, tokens in memory, variables of the agent", async () => {
    const config = { agent: { env: { GREETING: "costs $5 ${HOME}" }, inheritEnv: ["LANG"], limits: { cpus: 1.5, memory: "8g", pids: 512 } } };
    const text = renderComposeFile({ identity, services: [pipelock(true), egress("/run/user/1234/bottle-1234/x"), agent(config)], networks, volumes });
    await expect(text).toMatchFileSnapshot("snapshots/compose-with-egress.yml");
  });

  it("with git-gate: keys in memory, an upstream on this machine, a token that it inherits", async () => {
    const config = { upstreams: [{ url: "file:///srv/repos/app.git" }, { url: "file:///srv/repos/lib.git", push: { branches: ["**"] } }], limits: { memory: "2g" } };
    const text = renderComposeFile({
      identity,
      services: [gitGate(config, "/run/user/1234/bottle-1234/x/git-gate", ["GIT_TOKEN"])],
      networks: { internal: networks.internal, egress: networks.egress },
      volumes: { "git-mirrors": { name: "b-git-mirrors" } },
    });
    await expect(text).toMatchFileSnapshot("snapshots/compose-with-git-gate.yml");
  });

  it("with a mounted workspace, a writable root, user 0 and another runtime", async () => {
    const config = { agent: { workspace: { mode: "mount", path: "." }, filesystem: "writable", user: 0, runtime: "runsc" } };
    const text = renderComposeFile({ identity, services: [agent(config, { uid: 0, gid: 0, workspacePath: "/srv/my$project" })], networks: { internal: networks.internal }, volumes: { home: volumes.home } });
    await expect(text).toMatchFileSnapshot("snapshots/compose-mount-writable.yml");
  });
});

describe("every service of a bottle", () => {
  const services = [pipelock(true), pipelock(false), egress(undefined), egress("/run/x"), agent({}), gitGate({ upstreams: [{ url: "https://git.example.com/app.git" }] }, "/run/x/git-gate"), superviseService({ image: "bottle-supervise:0123", user, folder, subnets })];

  it.each(services.map((service, index) => [service.name, index] as const))("%s (%i) has no more rights than it needs", (_, index) => {
    const { services: rendered } = parse(renderComposeFile({ identity, services: [services[index]!], networks, volumes })) as { services: Record<string, Record<string, unknown>> };
    const [service] = Object.values(rendered);
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      init: true,
      pull_policy: "never",
      user: expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/),
      pids_limit: expect.any(Number),
      mem_limit: expect.any(String),
      cpus: expect.any(Number),
      labels: identity.labels,
      logging: { options: { "max-size": "10m", "max-file": "3" } },
    });
    for (const key of ["ports", "privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "env_file", "secrets"]) expect(service).not.toHaveProperty(key);
  });

  it("the agent writes to its volumes alone, each sidecar to what is its own", () => {
    const writable = services.flatMap((service) => service.mounts.filter((mount) => !mount.readOnly).map((mount) => `${service.name} ${mount.kind} ${mount.target}`));
    expect([...new Set(writable)]).toEqual(["pipelock bind /var/log/pipelock", "egress bind /var/log/egress", "agent volume /home/agent", "agent volume /workspace", "git-gate bind /var/log/git-gate", "git-gate volume /srv/git", "supervise bind /var/lib/supervise/requests"]);
  });

  it("the agent is on the internal network only, and nothing there is reached by Docker's DNS", () => {
    expect(Object.keys(agent({}).networks)).toEqual(["internal"]);
    expect(agent({}).hosts).toEqual({ proxy: "10.192.4.66", "git-gate": "10.192.4.68", supervise: "10.192.4.69" });
    expect(egress(undefined).networks.internal?.address).toBe("10.192.4.66");
    expect(pipelock(false).networks.internal?.address).toBe("10.192.4.66");
    expect(pipelock(true).networks.internal).toBeUndefined();
    expect(egress(undefined).networks.egress).toBeUndefined();
  });

  it("tokens come from memory; where there is none, by bare names", () => {
    expect(egress("/run/x").environment).toEqual({ UPSTREAM_PROXY: "http://pipelock:8080" });
    expect(egress("/run/x").mounts).toContainEqual({ kind: "bind", source: "/run/x", target: "/run/tokens", readOnly: true });
    expect(egress(undefined).environment).toEqual({ UPSTREAM_PROXY: "http://pipelock:8080", GITHUB_TOKEN: null });
    expect(egress(undefined).mounts.map(({ target }) => target)).not.toContain("/run/tokens");
  });

  it("a writable root keeps its own system store, and root in it has what dpkg needs", () => {
    const targets = (spec: ServiceSpec) => spec.mounts.map(({ target }) => target);
    expect(targets(agent({}))).toContain("/etc/ssl/certs/ca-certificates.crt");
    const writable = { agent: { filesystem: "writable" } };
    expect(targets(agent(writable))).not.toContain("/etc/ssl/certs/ca-certificates.crt");
    expect(agent(writable).capabilities).toEqual([]);
    expect(agent(writable, { uid: 0 }).capabilities).toEqual(["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]);
  });

  it("the manifest's variables win over the preset's and the package clients'", () => {
    const { environment } = agent({ agent: { env: { PIP_INDEX_URL: "https://mine.example.com/" } } }, { environment: { PIP_INDEX_URL: "https://machine.example.com/", OTHER: "x" } });
    expect(environment).toMatchObject({ PIP_INDEX_URL: "https://mine.example.com/", OTHER: "x", HTTPS_PROXY: "http://proxy:8080" });
  });
});

/** What Compose makes of a text: `$$` is a dollar sign, anything else after `$` would be interpolated. */
function interpolated(text: string): string {
  expect(text.replaceAll("$$", ""), "no `$` that Compose would read").not.toContain("$");
  return text.replaceAll("$$", "$");
}

const service = (more: Partial<ServiceSpec>): ServiceSpec => ({
  name: "agent",
  image: "image:1",
  user: "1:1",
  environment: {},
  networks: {},
  hosts: {},
  mounts: [],
  tmpfs: {},
  limits: { cpus: 1, memory: "1g", pids: 16 },
  readOnlyRoot: true,
  capabilities: [],
  dependsOn: [],
  ...more,
});
type Rendered = { services: { agent: { environment: string[]; volumes: { source: string }[]; labels: Record<string, unknown> } }; name: string };
const render = (input: Partial<ComposeInput>, spec: Partial<ServiceSpec> = {}, version: "1.1" | "1.2" = "1.2") =>
  parse(renderComposeFile({ identity, services: [service(spec)], networks: {}, volumes: {}, ...input }), { version }) as Rendered;

describe("rendering", () => {
  const text = fc.oneof(fc.string({ unit: fc.constantFrom(..."$${}ab:-'\"#\n\\ ") }), fc.string({ unit: "binary" }).filter((value) => value.isWellFormed() && !value.includes("\0")));

  it("keeps every value of a variable, whatever is in it", () => {
    fc.assert(
      fc.property(text, (value) => {
        const [line] = render({}, { environment: { NAME: value } }).services.agent.environment;
        expect(interpolated(line!)).toBe(`NAME=${value}`);
      }),
    );
  });

  it("keeps every path of a bind mount", () => {
    fc.assert(
      fc.property(text, (path) => {
        const [volume] = render({}, { mounts: [{ kind: "bind", source: `/${path}`, target: "/x", readOnly: true }] }).services.agent.volumes;
        expect(interpolated(volume!.source)).toBe(`/${path}`);
      }),
    );
  });

  it("writes an inherited variable as a bare name, so that no value is in the file", () => {
    expect(render({}, { environment: { TOKEN: null, OTHER: "" } }).services.agent.environment).toEqual(["TOKEN", "OTHER="]);
  });

  it("says of health what Compose takes", () => {
    const rendered = render({}, { health: health(["/check", "--now"]) });
    expect(rendered.services.agent).toMatchObject({ healthcheck: { test: ["CMD", "/check", "--now"], interval: "5000ms", timeout: "3000ms", start_interval: "200ms", start_period: "20000ms", retries: 3 } });
  });

  // Compose reads YAML 1.1's dates, base-2 and underscored numbers.
  it.each(["2026-11-24", "2026_11", "0b11"])("keeps the stack name %s a string for Compose", (stack) => {
    const odd = identify("file:///a", "organization", "bottle", stack);
    expect(render({ identity: odd }, {}, "1.1").services.agent.labels["bottle.stack"]).toBe(stack);
  });
});
