// Where a Bottle's secrets are, and how little a changed manifest touches.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Machine } from "../../components/machine/machine.ts";
import { withEnvironment } from "./fake-program.ts";
import { bottleArgs, identity, machine, temporaryFolder, type Config } from "./fixtures.ts";
import type { Registration } from "./pulumi-recorder.ts";
import { bottle, withoutEgress, withRoutes } from "./recorded-bottle.ts";

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
      TOKEN_FOLDER: `${machine.memoryFolder}/egress`,
      TOKENS: "API_TOKEN",
      REVISION: "revision-1",
    });
    expect(JSON.parse(inputs["stdin"] as string)).toEqual({ secret_git: "s3cret-of-git" });
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
