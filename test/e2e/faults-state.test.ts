// What people and machines do to a bottle behind Pulumi's back; destroy and up must both get over it.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { plainGet } from "../lib/e2e-agent.ts";
import { containers, execIn, networks, ownSubnet } from "../lib/e2e-engine.ts";
import { scratchProject, type Manifest, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, uniqueName } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "behind Pulumi's back", () => {
  const owner = uniqueName("e2e-state");
  const { prefix, base } = ownSubnet();
  const strayCidr = `${prefix}.${base}/28`;
  const [one, two] = ["one.bottle.test", "two.bottle.test"];
  const manifest = (...hosts: string[]): Manifest => ({ agent: { image: "debian:trixie-slim" }, network: { hosts }, trust });
  let trust: { caFiles: string[] };
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;

  beforeAll(async () => {
    upstream = await startUpstream({ names: [one, two] });
    project = await scratchProject();
    trust = project.trust(upstream.ca);
    stack = await project.stack("state", manifest(one));
  });
  beforeEach(() => stack.write(manifest(one)));
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  async function removeContainers(): Promise<void> {
    await ok("docker", ["rm", "--force", ...Object.values(await containers(stack.identity.instance)).map(({ id }) => id)]);
  }

  async function expectGone(): Promise<void> {
    await stack.destroy();
    expect(await stack.leftovers()).toEqual([]);
  }

  async function expectWhole(): Promise<void> {
    const all = await containers(stack.identity.instance);
    expect(Object.keys(all).sort()).toEqual(["agent", "pipelock"]);
    expect(Object.values(all).every(({ running }) => running)).toBe(true);
  }

  test("a network that a killed up left behind, unknown to the state: up gets past it", async () => {
    const name = `${stack.identity.composeProject}-internal`;
    const labels = Object.entries(stack.identity.labels).flatMap(([label, value]) => ["--label", `${label}=${value}`]);
    const stray = await ok("docker", ["network", "create", ...labels, "--internal", "--subnet", strayCidr, name]);
    const { output } = await stack.up();
    expect(output).toContain(`removed what an interrupted update left behind: ${name}`);
    expect(Object.values(await networks(stack.identity.instance))).not.toContain(stray);
    await expectWhole();
  });

  test("the same network, and destroy instead", async () => {
    const labels = Object.entries(stack.identity.labels).flatMap(([label, value]) => ["--label", `${label}=${value}`]);
    await ok("docker", ["network", "create", ...labels, "--internal", "--subnet", strayCidr, `${owner}-stray`]);
    await ok("docker", ["volume", "create", ...labels, `${owner}-stray`]);
    await ok("docker", ["run", "--detach", "--network", "none", ...labels, "debian:trixie-slim", "sleep", "1000"]);
    await expectGone();
  });

  test("containers removed by hand, then destroy", async () => {
    await stack.up();
    await removeContainers();
    await expectGone();
  });

  test("containers and networks removed by hand, then destroy", async () => {
    await stack.up();
    await removeContainers();
    await ok("docker", ["network", "rm", ...Object.values(await networks(stack.identity.instance))]);
    await expectGone();
  });

  test("containers and networks removed by hand, then up with a refresh", async () => {
    await stack.up();
    await removeContainers();
    await ok("docker", ["network", "rm", ...Object.values(await networks(stack.identity.instance))]);
    await stack.succeed({}, "up", "--yes", "--skip-preview", "--refresh");
    await expectWhole();
    await expectGone();
  });

  test("state/ deleted, then destroy", async () => {
    await stack.up();
    rmSync(stack.state, { recursive: true });
    await expectGone();
  });

  test("state/ deleted, then up: the files are there again, and rule", async () => {
    await stack.up();
    const key = readFileSync(`${stack.state}/pipelock/ca/ca.pem`, "utf8");
    rmSync(stack.state, { recursive: true });
    await stack.up();
    await expectWhole();
    for (const file of ["docker-compose.yml", "metadata.json", "pipelock/config/pipelock.yaml"]) expect(existsSync(`${stack.state}/${file}`), file).toBe(true);
    expect(readFileSync(`${stack.state}/pipelock/ca/ca.pem`, "utf8")).toBe(key);

    // A container that still mounted the deleted folder would see neither this nor any later change.
    stack.write(manifest(two));
    await stack.up();
    named = await nameUpstream(stack, upstream, [one, two]);
    const agent = (await containers(stack.identity.instance))["agent"]!.name;
    expect((await plainGet(agent, `http://${two}/`)).status).toBe(200);
    expect((await plainGet(agent, `http://${one}/`)).status).toBe(403);
    expect((await execIn(agent, "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt")).stdout).toMatch(/^\d\d+\n$/);
    await stack.succeed({}, "preview", "--expect-no-changes");
  });

  test("a stranger's container on the bottle's network: destroy names it, leaves it alone, and is done once it has gone", async () => {
    const stranger = named!;
    const { code, output, seconds } = await stack.pulumi("destroy", "--yes", "--skip-preview");
    const running = await ok("docker", ["inspect", "--format", "{{.State.Running}}", stranger.container]);
    await stranger.remove();
    named = undefined;
    await expectGone();
    expect(code).not.toBe(0);
    expect(output).toContain(stranger.container);
    expect(seconds).toBeLessThan(20);
    expect(running).toBe("true");
  });

  test("destroy acts on the bottle's engine, whatever the shell says", async () => {
    await stack.up();
    await stack.destroy({ env: { DOCKER_HOST: "unix:///nowhere/docker.sock" } });
    expect(await stack.leftovers()).toEqual([]);
  });
});
