// An up that fails at each of its services: promptly, with that service's last words, and nothing that the next up or
// destroy does not mend.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { containers } from "../lib/e2e-engine.ts";
import { scratchProject, type Manifest, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { labelled, removeLabelled } from "../lib/cleanup.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, uniqueName } from "../lib/run.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "an up that fails", () => {
  const owner = uniqueName("e2e-broken");
  const words = "last words of a broken service";
  // Passed through, so that egress is there too.
  const good: Manifest = { agent: { image: "debian:trixie-slim" }, network: { hosts: [{ host: "docs.bottle.test", inspect: false }] } };
  let project: ScratchProject;
  let stack: Stack;

  beforeAll(async () => {
    project = await scratchProject();
    stack = await project.stack("broken", good);
  });
  afterAll(async () => {
    await project?.dispose();
    await removeLabelled(owner);
  });

  /** An image that takes every configuration for good, and whose service then does as the script says. */
  async function image(name: string, script: string): Promise<string> {
    const context = project.path(name);
    mkdirSync(context);
    writeFileSync(`${context}/service`, `#!/bin/sh\ncase "$1" in check) exit 0;; healthcheck) exit 1;; esac\necho "${words}"\n${script}\n`, { mode: 0o755 });
    writeFileSync(`${context}/Dockerfile`, 'FROM debian:trixie-slim\nCOPY service /pipelock\nENTRYPOINT ["/pipelock"]\n');
    const tag = `${owner}:${name}`;
    await ok("docker", ["build", "--quiet", ...labelled(owner), "--tag", tag, context]);
    return tag;
  }

  /** @returns what the failing up said, and after how many seconds */
  async function fail(change: Partial<Manifest>): Promise<{ output: string; seconds: number }> {
    stack.write({ ...good, ...change });
    const { code, output, seconds } = await stack.pulumi("up", "--yes", "--skip-preview");
    expect(code, output).not.toBe(0);
    return { output, seconds };
  }

  async function expectReaped(): Promise<void> {
    await stack.destroy();
    expect(await stack.leftovers()).toEqual([]);
  }

  test("an agent that exits at once", async () => {
    const { output, seconds } = await fail({ agent: { image: await image("agent-exits", "exit 3") } });
    expect(output).toContain("service agent is ");
    expect(output).toContain(words);
    expect(seconds).toBeLessThan(30);
    await expectReaped();
  });

  test("an agent's image without the usual tools", async () => {
    const { output, seconds } = await fail({ agent: { image: "ghcr.io/luckypipewrench/pipelock:2.3.0" } });
    expect(output).toMatch(/agent/);
    expect(seconds).toBeLessThan(30);
    await expectReaped();
  });

  test("an engine that silently ignores isolated gateways, as old ones do: no container ever runs", async () => {
    // No engine at hand ignores the option, so it is not given: the engine then does just what an old one does.
    const file = project.path("components/networks.ts");
    const source = readFileSync(file, "utf8");
    const ignored = source.replace(/\{ "com\.docker\.network\.bridge\.gateway_mode_ipv4": "isolated" \}/, "{}");
    expect(ignored).not.toBe(source);
    writeFileSync(file, ignored);
    try {
      const { output } = await fail({});
      expect(output).toContain("the engine does not honour isolated gateways. Docker 28 or newer is needed");
      expect(await containers(stack.identity.instance)).toEqual({});
    } finally {
      writeFileSync(file, source);
      await expectReaped();
    }
  });

  test("an image that nobody has", async () => {
    const { output, seconds } = await fail({ agent: { image: "no-registry.bottle.test/none:1" } });
    expect(output).toContain("image no-registry.bottle.test/none:1: is not in the engine's store and cannot be pulled");
    expect(seconds).toBeLessThan(30);
    await expectReaped();
  });

  test("a build that fails", async () => {
    mkdirSync(project.path("bad-build"));
    writeFileSync(project.path("bad-build/Dockerfile"), `FROM debian:trixie-slim\nRUN echo ${words.replaceAll(" ", "-")} && false\n`);
    const { output, seconds } = await fail({ agent: { build: { context: "bad-build" } } });
    expect(output).toMatch(/image bottle-broken-[0-9a-f]{8}-agent:\S+: the build failed/);
    expect(output).toContain(words.replaceAll(" ", "-"));
    expect(seconds).toBeLessThan(30);
    await expectReaped();
  });

  test("a pipelock that is none", async () => {
    const { output, seconds } = await fail({ images: { pipelock: "debian:trixie-slim" } });
    expect(output).toMatch(/pipelock/);
    expect(output).toMatch(/check/);
    expect(seconds).toBeLessThan(30);
    await expectReaped();
  });

  test("a pipelock that exits at once", async () => {
    const { output, seconds } = await fail({ images: { pipelock: await image("pipelock-exits", "exit 7") } });
    expect(output).toContain("service pipelock is ");
    expect(output).toContain(words);
    expect(output).not.toContain("service agent is "); // it only waited
    expect(seconds).toBeLessThan(40);
    await expectReaped();
  });

  test("a pipelock that never gets healthy", async () => {
    const { output, seconds } = await fail({ images: { pipelock: await image("pipelock-sick", "exec sleep 1000") } });
    expect(output).toContain("service pipelock is ");
    expect(output).toContain(words);
    expect(seconds).toBeLessThan(60);
    await expectReaped();
  });

  test("an egress that exits at once; then, without a destroy between, a good up", async () => {
    const { output, seconds } = await fail({ images: { egress: await image("egress-exits", "exit 9") } });
    expect(output).toContain("service egress is ");
    expect(output).toContain(words);
    expect(seconds).toBeLessThan(40);

    stack.write(good);
    await stack.up({ timeout: 300_000 });
    const all = await containers(stack.identity.instance);
    expect(Object.keys(all).sort()).toEqual(["agent", "egress", "pipelock"]);
    expect(Object.values(all).every(({ running }) => running)).toBe(true);
    await stack.succeed({}, "preview", "--expect-no-changes");
  });

  test("a change that fails leaves a living bottle as it was, and the next up goes on", async () => {
    const before = await containers(stack.identity.instance);
    await fail({ agent: { image: "no-registry.bottle.test/none:1" } });
    expect(await containers(stack.identity.instance)).toEqual(before);
    stack.write(good);
    await stack.up();
    expect(await containers(stack.identity.instance)).toEqual(before);
    await expectReaped();
  });
});
