// An update that is killed while it puts rules in force, and rules that were changed by hand: what the manifest says holds after the next up.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { plainGet } from "../lib/e2e-agent.ts";
import { containers, type Container } from "../lib/e2e-engine.ts";
import { scratchProject, type Manifest, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { changedResources } from "../lib/e2e-pulumi.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { until } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "rules of an update that was killed half way", () => {
  const names = ["one.bottle.test", "two.bottle.test"];
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let before: Record<string, Container>;

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    stack = await project.stack("half-way", manifest(names[0]!));
    await stack.up();
    named = await nameUpstream(stack, upstream, names);
    before = await containers(stack.identity.instance);
  });
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  const manifest = (...hosts: string[]): Manifest => ({ agent: { image: "debian:trixie-slim" }, network: { hosts, routes: [{ host: "route.bottle.test" }] }, trust: project.trust(upstream.ca) });
  const status = async (host: string) => (await plainGet(before["agent"]!.name, `http://${host}/`)).status;
  const rules = () => join(stack.state, "egress/rules/rules.yaml");
  const config = () => join(stack.state, "pipelock/config/pipelock.yaml");

  async function expectOnlyFirst(): Promise<void> {
    expect(await status(names[0]!)).toBe(200);
    expect(await status(names[1]!)).toBe(403);
    for (const file of [rules(), config()]) expect(readFileSync(file, "utf8")).not.toContain(names[1]);
    await stack.succeed({}, "preview", "--expect-no-changes");
    const now = await containers(stack.identity.instance);
    expect(now["agent"]).toEqual(before["agent"]);
  }

  test.each(["all", "cli"] as const)("do not stay where the manifest takes them back (killed: %s)", async (whom) => {
    stack.write(manifest(...names));
    const running = stack.start("up", "--yes", "--skip-preview");
    await until("the new rules are written", async () => readFileSync(rules(), "utf8").includes(names[1]!), 60_000);
    if (whom === "all") await running.killAll();
    else running.killCli();
    await running.done;
    await stack.pulumi("cancel", "--yes");
    stack.write(manifest(names[0]!));
    await stack.up();
    await expectOnlyFirst();
  });

  test("are put in force where it keeps them", async () => {
    stack.write(manifest(...names));
    const running = stack.start("up", "--yes", "--skip-preview");
    await until("the new rules are written", async () => readFileSync(rules(), "utf8").includes(names[1]!), 60_000);
    await running.killAll();
    await running.done;
    await stack.pulumi("cancel", "--yes");
    await stack.up();
    expect(await status(names[1]!)).toBe(200);
    await stack.succeed({}, "preview", "--expect-no-changes");
    stack.write(manifest(names[0]!));
    await stack.up();
    await expectOnlyFirst();
  });

  test("changed by hand are put right by the next up, which preview shows", async () => {
    for (const file of [rules(), config()]) writeFileSync(file, readFileSync(file, "utf8").replaceAll(names[0]!, names[1]!));
    expect(existsSync(join(stack.state, "metadata.json"))).toBe(true);
    const preview = await stack.succeed({}, "preview");
    expect(preview.output).toMatch(/half-way-egress-rules\s+update/);
    expect(preview.output).toMatch(/half-way-pipelock-config\s+update/);
    expect(Object.keys(changedResources((await stack.up()).output)).sort()).toEqual(["half-way-egress-rules", "half-way-pipelock-config"]);
    await expectOnlyFirst();
  });
});
