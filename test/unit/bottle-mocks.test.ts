// What a Bottle asks Pulumi to make, in preview and in an update, and in which order.
import { existsSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { bottleArgs, identity, machine } from "./fixtures.ts";
import { bottle, KEY, withoutEgress, withRoutes, type Recorded } from "./recorded-bottle.ts";

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

  it("has pipelock let names resolve to the guests of its egress network alone", () => {
    const config = parse(update.command("b-pipelock-config").inputs["stdin"] as string) as { ssrf: { ip_allowlist: string[] } };
    expect(config.ssrf.ip_allowlist).toEqual(["10.192.4.104/29"]);
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
      backend: "file:///somewhere/backend",
      organization: "organization",
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
