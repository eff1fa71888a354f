// What a Bottle asks Pulumi to make, in preview and in an update, and in which order.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Bottle } from "../../components/bottle.ts";
import type { Machine } from "../../components/machine/machine.ts";
import type { BottleArgs } from "../../components/stack.ts";
import { withEnvironment } from "./fake-program.ts";
import { bottleArgs, identity, machine, temporaryFolder, type Config } from "./fixtures.ts";
import { record, type Outputs, type Registration } from "./pulumi-recorder.ts";

const KEY = "-----BEGIN EC PRIVATE KEY-----\nthe key\n";
const outputs: Outputs = (type, name, inputs) => {
  if (type.endsWith(":PrivateKey")) return { ...inputs, privateKeyPem: KEY };
  if (type.endsWith(":SelfSignedCert")) return { ...inputs, certPem: `certificate of ${name}\n` };
  // The engine adds IPv6 to what was asked for, in any order.
  if (type.endsWith(":Network")) return { ...inputs, ipamConfigs: [{ subnet: "fd00::/64", gateway: "fd00::1" }, ...(inputs["ipamConfigs"] as object[])] };
  return inputs;
};

const withRoutes: Config = {
  network: {
    hosts: ["docs.example.com"],
    routes: [
      { host: "api.example.com", name: "api", auth: { variable: "API_TOKEN" } },
      { host: "git.example.com", name: "git", auth: { secret: "s3cret-of-git", scheme: "basic", username: "u" } },
    ],
  },
};
const withoutEgress: Config = { network: { hosts: ["docs.example.com"] } };

/** Registrations by `type name`, where the name is without the bottle's own. */
class Recorded {
  readonly all: readonly Registration[];

  constructor(all: readonly Registration[]) {
    this.all = all;
  }

  /** The one resource of this kind and name; its type's last word will do. */
  get(kind: string, name: string): Registration {
    const found = this.all.filter((resource) => resource.type.endsWith(kind) && resource.name === name);
    expect(found, `${kind} ${name}`).toHaveLength(1);
    return found[0]!;
  }

  command = (name: string) => this.get("local:Command", name);
  get commands(): Registration[] {
    return this.all.filter(({ type }) => type.endsWith("local:Command"));
  }

  /** URNs that must be there before a resource: its dependencies, its parents', and theirs. */
  before(resource: Registration): Set<string> {
    const byUrn = new Map(this.all.map((other) => [other.urn, other]));
    const seen = new Set<string>();
    const queue = [resource.urn];
    for (let urn = queue.pop(); urn !== undefined; urn = queue.pop()) {
      const found = byUrn.get(urn);
      for (const next of [...(found?.dependencies ?? []), ...(found?.parent ? [found.parent] : [])]) {
        if (!seen.has(next)) queue.push(next);
        seen.add(next);
      }
    }
    return seen;
  }
}

async function bottle(args: BottleArgs, preview = false): Promise<Recorded> {
  return new Recorded(await record(() => void new Bottle("b", args), { preview, outputs }));
}

describe.each([
  ["with routes", withRoutes, ["b-agent-image", "b-egress-image", "b-egress-rules", "b-pipelock-image", "b-up"]],
  ["with an inspected host alone", withoutEgress, ["b-agent-image", "b-pipelock-image", "b-up"]],
])("the first preview of a bottle %s", (_, config, read) => {
  let preview: Recorded;
  beforeAll(async () => {
    preview = await bottle(bottleArgs(config), true);
  });

  it("knows the networks whole", () => {
    const networks = preview.all.filter(({ type }) => type.endsWith(":Network"));
    expect(networks.flatMap(({ unknown }) => unknown)).toEqual([]);
    const cidrs: Record<string, [string, string]> = { internal: ["10.192.4.64/28", "10.192.4.65"], transit: ["10.192.4.80/28", "10.192.4.81"], egress: ["10.192.4.96/28", "10.192.4.97"] };
    const expected = Object.keys(cidrs).map((role) => ({
      name: `${identity.composeProject}-${role}`,
      driver: "bridge",
      internal: role !== "egress",
      ipamConfigs: [{ subnet: cidrs[role]![0], gateway: cidrs[role]![1] }],
      options: role === "egress" ? {} : { "com.docker.network.bridge.gateway_mode_ipv4": "isolated" },
      labels: expect.arrayContaining([
        { label: "bottle.project", value: "bottle" },
        { label: "bottle.stack", value: "Review/One" },
        { label: "bottle.instance", value: identity.instance },
      ]),
    }));
    const byName = (a: { name?: unknown }, b: { name?: unknown }) => String(a.name).localeCompare(String(b.name));
    expect(networks.map(({ inputs }) => inputs).sort(byName)).toEqual(expected.sort(byName));
  });

  it("knows the Compose file, the rules and the images, in plain text", () => {
    const commands = preview.commands.filter(({ name }) => /-(up|rules|image)$/.test(name));
    expect(commands.map(({ name }) => name).sort()).toEqual(read);
    for (const { name, inputs, secret, unknown } of commands) {
      expect(typeof inputs["stdin"], name).toBe("string");
      expect(secret, name).not.toContain("stdin");
      expect(unknown, name).not.toContain("stdin");
    }
  });

  it("does not know what only the engine and the authorities say, and nothing else", () => {
    const unknown = preview.all.flatMap(({ type, name, unknown: inputs }) => inputs.map((input) => `${type.split(":").at(-1)} ${name}: ${input}`));
    expect(unknown.sort()).toEqual([
      "Command b-egress-ca-files: stdin",
      "Command b-pipelock-ca-files: stdin",
      "Command b-pipelock-config: stdin",
      "Command b-teardown-guard: triggers",
      "Command b-trust: stdin",
      "Command b-up: environment",
      "Command b-up: triggers",
      "SelfSignedCert b-egress-ca: privateKeyPem",
      "SelfSignedCert b-pipelock-ca: privateKeyPem",
    ]);
  });
});

describe("an update of a bottle with routes", () => {
  let update: Recorded;
  beforeAll(async () => {
    update = await bottle(bottleArgs(withRoutes));
  });

  it("makes the sweeper first: everything else comes after it", () => {
    const sweeper = update.command("b-sweeper");
    const own = [sweeper.urn, update.get("index:Sweeper", "b").urn, update.get("index:Bottle", "b").urn];
    const others = update.all.filter(({ urn, type }) => !own.includes(urn) && !type.startsWith("pulumi:"));
    expect(others.length).toBeGreaterThan(20);
    for (const resource of others) expect(update.before(resource).has(sweeper.urn), `${resource.type} ${resource.name}`).toBe(true);
    expect(update.before(sweeper)).toEqual(new Set(update.before(update.get("index:Sweeper", "b")).add(update.get("index:Sweeper", "b").urn)));
  });

  it("makes the guard before up, and after the networks: containers go before networks do", () => {
    const [guard, up] = [update.command("b-teardown-guard"), update.command("b-up")];
    expect(up.dependencies).toContain(guard.urn);
    for (const role of ["internal", "transit", "egress"]) expect(guard.dependencies).toContain(update.get(":Network", `b-${role}`).urn);
  });

  it("gives the guard nothing to do but the teardown, and has a new network replace it, old before new", () => {
    const { inputs, deleteBeforeReplace } = update.command("b-teardown-guard");
    const ids = { internal: expect.stringMatching(/^b-internal-id-/), transit: expect.stringMatching(/^b-transit-id-/), egress: expect.stringMatching(/^b-egress-id-/) };
    expect(inputs).toEqual({
      create: ":",
      delete: expect.stringContaining(`docker compose -p '${identity.composeProject}' down`),
      environment: machine.engine.environment,
      triggers: [ids],
      logging: "none",
      addPreviousOutputInEnv: false,
    });
    expect(deleteBeforeReplace).toBe(true);
    expect(update.command("b-up")).toMatchObject({ deleteBeforeReplace: true, inputs: { triggers: [ids] } });
    expect(update.command("b-up").inputs).not.toHaveProperty("delete");
  });

  it("replaces networks old before new: two cannot hold one name", () => {
    for (const role of ["internal", "transit", "egress"]) expect(update.get(":Network", `b-${role}`).deleteBeforeReplace).toBe(true);
  });

  it("starts containers once images, keys, rules, tokens, roots and pipelock's checked configuration are there", () => {
    const needs = ["b-pipelock-image", "b-egress-image", "b-agent-image", "b-pipelock-ca-files", "b-egress-ca-files", "b-pipelock-config", "b-egress-rules", "b-egress-tokens", "b-trust"];
    const { dependencies } = update.command("b-up");
    for (const name of needs) expect(dependencies, name).toContain(update.command(name).urn);
  });

  it("checks pipelock's configuration in its image, with its key", () => {
    expect(update.command("b-pipelock-config").dependencies).toEqual(expect.arrayContaining([update.command("b-pipelock-image").urn, update.command("b-pipelock-ca-files").urn]));
    expect(update.command("b-egress-rules").dependencies).toContain(update.command("b-egress-image").urn);
  });

  it("provisions once the agent is up", () => {
    expect(update.command("b-agent-provision").dependencies).toContain(update.command("b-up").urn);
  });

  it("has pipelock let names resolve to the engine's IPv4 subnets", () => {
    const config = parse(update.command("b-pipelock-config").inputs["stdin"] as string) as { ssrf: { ip_allowlist: string[] } };
    expect(config.ssrf.ip_allowlist).toEqual(["10.192.4.64/28", "10.192.4.80/28", "10.192.4.96/28"]);
  });

  it("makes authorities that sign certificates and nothing else, of the one kind of key that pipelock takes", () => {
    for (const service of ["pipelock", "egress"]) {
      expect(update.get(":PrivateKey", `b-${service}-ca`).inputs).toEqual({ algorithm: "ECDSA", ecdsaCurve: "P256" });
      expect(update.get(":SelfSignedCert", `b-${service}-ca`).inputs).toMatchObject({
        isCaCertificate: true,
        allowedUses: ["cert_signing", "crl_signing"],
        setSubjectKeyId: true,
        setAuthorityKeyId: true,
        validityPeriodHours: 8760,
        earlyRenewalHours: 720,
        subject: { commonName: `bottle review-one ${service}`, organization: "bottle" },
      });
    }
  });

  it("writes each key where its one reader looks", () => {
    const files = (service: string) => {
      const { inputs, secret } = update.command(`b-${service}-ca-files`);
      expect(secret).toContain("stdin");
      expect(inputs["environment"]).toMatchObject({ FOLDER: `/srv/project/state/review-one/${service}/ca`, OWNER: "1234:1235" });
      return JSON.parse(inputs["stdin"] as string) as unknown;
    };
    expect(files("pipelock")).toEqual({ "ca-key.pem": KEY, "ca.pem": "certificate of b-pipelock-ca\n" });
    expect(files("egress")).toEqual({ "mitmproxy-ca.pem": `${KEY}certificate of b-egress-ca\n` });
  });

  it("has the agent trust both authorities, egress pipelock's, pipelock none", () => {
    const { files, bundles } = JSON.parse(update.command("b-trust").inputs["stdin"] as string) as { files: string[]; bundles: { path: string; certificates: string[] }[] };
    expect(files).toEqual(machine.trust.paths);
    expect(bundles.map(({ path, certificates }) => [path.replace("/srv/project/state/review-one/", ""), certificates])).toEqual([
      ["pipelock/trust/upstream.pem", []],
      ["egress/trust/upstream.pem", ["certificate of b-pipelock-ca\n"]],
      ["agent/ca/ca-certificates.crt", ["certificate of b-egress-ca\n", "certificate of b-pipelock-ca\n"]],
      ["agent/ca/local.crt", ["certificate of b-egress-ca\n", "certificate of b-pipelock-ca\n"]],
    ]);
  });

  it("tells other tools in metadata.json all they need", () => {
    const { METADATA } = update.command("b-up").inputs["environment"] as { METADATA: string };
    expect(JSON.parse(METADATA)).toMatchObject({
      format: 1,
      slug: "review-one",
      stack: "Review/One",
      project: "bottle",
      instance: identity.instance,
      compose_project: identity.composeProject,
      compose_file: "/srv/project/state/review-one/docker-compose.yml",
      engine: machine.engine.environment,
      agent_container: `${identity.composeProject}-agent-1`,
      networks: {
        internal: { id: expect.stringMatching(/^b-internal-id-/), name: `${identity.composeProject}-internal`, internal: true },
        transit: { internal: true },
        egress: { internal: false },
      },
      subnet: "10.192.4.64/26",
      authorities: { pipelock: expect.stringMatching(/^[0-9a-f]{16}$/), egress: expect.stringMatching(/^[0-9a-f]{16}$/) },
      versions: { pipelock: "ghcr.io/luckypipewrench/pipelock:2.3.0", base: "debian:trixie-slim", claude_code: "2.1.331" },
    });
  });

  it("keeps every command's output out of log and state, but the steps of builds", () => {
    for (const { name, inputs } of update.commands) {
      expect(inputs, name).toMatchObject({ logging: /-image$|-workspace$/.test(name) ? "stderr" : "none", addPreviousOutputInEnv: false });
    }
  });

  it("runs scripts that are there, as the command's own process", () => {
    const scripts = update.commands.flatMap(({ inputs }) => /node /.test(String(inputs["create"])) ? [String(inputs["create"])] : []);
    expect(scripts.length).toBeGreaterThan(8);
    for (const script of scripts) {
      const [, path] = /^exec node --disable-warning=ExperimentalWarning '([^']+)'$/.exec(script) ?? [];
      expect(path !== undefined && existsSync(path), script).toBe(true);
    }
  });

  it("acts on the bottle's own engine, whatever the shell's is", () => {
    const provider = update.all.find(({ type }) => type === "pulumi:providers:docker");
    expect(provider?.inputs["host"]).toBe("unix:///run/test.sock");
    for (const name of ["b-sweeper", "b-teardown-guard", "b-up", "b-pipelock-config", "b-egress-rules", "b-egress-tokens", "b-pipelock-image", "b-agent-provision"]) {
      expect(update.command(name).inputs["environment"], name).toMatchObject({ DOCKER_HOST: "unix:///run/test.sock" });
    }
  });
});

describe("another engine", () => {
  const colima = { engine: { environment: { DOCKER_CONTEXT: "colima" }, host: "unix:///colima.sock", context: "colima" } };

  it("of a context of the Docker CLI is the provider's too", async () => {
    const update = await bottle(bottleArgs(withoutEgress, colima));
    expect(update.all.find(({ type }) => type === "pulumi:providers:docker")?.inputs).toMatchObject({ context: "colima" });
    expect(update.command("b-teardown-guard").inputs["environment"]).toMatchObject({ DOCKER_CONTEXT: "colima" });
  });
});

describe("secrets", () => {
  it("are in no input but secret ones, and tokens of the environment in none at all", async () => {
    withEnvironment({ API_TOKEN: "t0ken-of-api" });
    const update = await bottle(bottleArgs(withRoutes));
    const holders = (text: string) => update.all.flatMap(({ name, inputs }) => Object.entries(inputs).flatMap(([key, value]) => (JSON.stringify(value).includes(text) ? [`${name}: ${key}`] : [])));
    expect(holders("t0ken-of-api")).toEqual([]);
    expect(holders("s3cret-of-git")).toEqual(["b-egress-tokens: stdin"]);
    expect(new Set(holders("the key"))).toEqual(new Set(["b-pipelock-ca: privateKeyPem", "b-egress-ca: privateKeyPem", "b-pipelock-ca-files: stdin", "b-egress-ca-files: stdin"]));
    const secret = update.all.flatMap(({ name, secret: inputs }) => inputs.map((input) => `${name}: ${input}`));
    for (const holder of [...holders("s3cret-of-git"), ...holders("the key")]) expect(secret).toContain(holder);
  });

  it("leave the Compose file readable: nothing in it is marked secret", async () => {
    const update = await bottle(bottleArgs(withRoutes));
    expect(update.command("b-up").secret).toEqual([]);
    expect(update.command("b-egress-rules").secret).toEqual([]);
  });

  it("of the environment are named to the command that writes them, which has a random revision only", async () => {
    const { inputs } = (await bottle(bottleArgs(withRoutes))).command("b-egress-tokens");
    expect(inputs["environment"]).toEqual({
      ...machine.engine.environment,
      COMPOSE_PROJECT: identity.composeProject,
      OWNER: "1234:1235",
      TOKEN_FOLDER: machine.tokenFolder,
      TOKENS: "API_TOKEN",
      REVISION: "revision-1",
    });
    expect(JSON.parse(inputs["stdin"] as string)).toEqual({ secret_git: "s3cret-of-git" });
  });
});

describe("a bottle without egress", () => {
  it("has no egress, no rules and no tokens, but egress's authority and every network, so that a first route leaves the agent alone", async () => {
    const update = await bottle(bottleArgs(withoutEgress));
    const names = update.all.filter(({ type }) => !type.startsWith("bottle:")).map(({ name }) => name);
    for (const name of ["b-egress-image", "b-egress-rules", "b-egress-tokens"]) expect(names).not.toContain(name);
    expect(names).toContain("b-egress-ca-files");
    const { services, networks } = parse(update.command("b-up").inputs["stdin"] as string) as { services: object; networks: object };
    expect(Object.keys(services)).toEqual(["pipelock", "agent"]);
    expect(Object.keys(networks)).toEqual(["internal", "transit", "egress"]);
  });
});

describe("a change does the least", () => {
  /** `resource: input` of what differs between two bottles in one project. */
  async function changed(before: Config, after: Config, machineAfter: Partial<Machine> = {}): Promise<string[]> {
    const project = temporaryFolder();
    mkdirSync(join(project, "state/review-one"), { recursive: true });
    writeFileSync(join(project, "state/review-one/.generation"), "generation-1");
    writeFileSync(join(project, "one.md"), "one");
    writeFileSync(join(project, "two.md"), "two");
    const first = await bottle({ ...bottleArgs(before), project });
    const second = await bottle({ ...bottleArgs(after, machineAfter), project });
    const key = ({ type, name }: Registration) => `${type} ${name}`;
    const old = new Map(first.all.map((resource) => [key(resource), resource]));
    const ids = (value: unknown) => JSON.stringify(value)?.replaceAll(/-id-\d+/g, ""); // the mock makes all anew
    const differs = second.all.flatMap((resource) => {
      const was = old.get(key(resource));
      if (was === undefined) return [`${resource.name}: new`];
      const inputs = new Set([...Object.keys(was.inputs), ...Object.keys(resource.inputs)]);
      return [...inputs].filter((input) => ids(was.inputs[input]) !== ids(resource.inputs[input])).map((input) => `${resource.name}: ${input}`);
    });
    const now = new Set(second.all.map(key));
    return [...differs, ...first.all.filter((resource) => !now.has(key(resource))).map(({ name }) => `${name}: gone`)].sort();
  }
  const network = (value: object): Config => ({ network: { routes: [{ host: "api.example.com" }], ...value } });
  const agent = (value: object): Config => ({ agent: { claude: { login: "none" }, ...value }, ...network({}) });

  it("nothing: no difference", async () => {
    expect(await changed(withRoutes, withRoutes)).toEqual([]);
  });

  it("a new allowed host: pipelock and egress in place", async () => {
    expect(await changed(network({}), network({ hosts: ["new.example.com"] }))).toEqual(["b-egress-rules: stdin", "b-pipelock-config: stdin"]);
  });

  it("a route's paths: egress in place", async () => {
    expect(await changed(network({}), { network: { routes: [{ host: "api.example.com", paths: ["/v1/**"] }] } })).toEqual(["b-egress-rules: stdin"]);
  });

  it("another prompt: provisioning", async () => {
    expect(await changed(agent({ prompt: "one.md" }), agent({ prompt: "two.md" }))).toEqual(["b-agent-provision: environment", "b-agent-provision: stdin"]);
  });

  it("another limit: the Compose project", async () => {
    expect(await changed(agent({}), agent({ limits: { memory: "2g" } }))).toEqual(["b-up: stdin"]);
  });

  it("another token: egress, in place", async () => {
    expect(await changed(withRoutes, withRoutes, { tokenRevision: "revision-2" })).toEqual(["b-egress-tokens: environment", "b-up: environment"]);
  });

  it("the first route: egress joins; agent, networks and authorities stay", async () => {
    const withRoute = { network: { hosts: ["docs.example.com"], routes: [{ host: "api.example.com" }] } };
    expect(await changed(withoutEgress, withRoute)).toEqual(["b-egress-image: new", "b-egress-image: new", "b-egress-rules: new", "b-egress-tokens: new", "b-pipelock-config: stdin", "b-up: stdin"]);
    const agentOf = async (config: Config) => {
      const { services } = parse((await bottle(bottleArgs(config))).command("b-up").inputs["stdin"] as string) as { services: { agent: Record<string, unknown> } };
      const { depends_on: _order, ...agentService } = services.agent; // no part of what Compose compares
      return agentService;
    };
    expect(await agentOf(withRoute)).toEqual(await agentOf(withoutEgress));
  });
});
