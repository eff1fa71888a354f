// An engine that is stopped and started under a bottle.
import { afterAll, expect, test } from "vitest";
import { BASE_IMAGE, PIPELOCK_IMAGE } from "../../components/manifest/schema.ts";
import { PrivateEngine } from "../lib/e2e-dockerd.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { describeWith, lack } from "../lib/parts.ts";
import { ok, until } from "../lib/run.ts";

const needs = ["engine", "base", "pipelock", "pulumi"] as const;
// Another engine than this machine's, which other tests and people use.
const engine = lack(needs) === undefined ? await PrivateEngine.start([BASE_IMAGE, PIPELOCK_IMAGE]) : "";
const name = typeof engine === "string" && engine ? `an engine that restarts [skipped: ${engine}]` : "an engine that restarts";

describeWith(needs, name, () => {
  const onIt = test.skipIf(typeof engine === "string");
  const { host } = engine as PrivateEngine;
  const env = { DOCKER_HOST: host };
  let project: ScratchProject;
  let stack: Stack;

  afterAll(async () => {
    if (typeof engine === "string") return;
    try {
      await project?.dispose();
    } finally {
      await engine.dispose();
    }
  });

  const objects = async (kind: "container" | "network" | "volume") =>
    (await ok("docker", ["--host", host, kind, "ls", "--quiet", ...(kind === "container" ? ["--all"] : []), "--filter", `label=bottle.instance=${stack.identity.instance}`])).split("\n").filter(Boolean);
  const running = async () => (await ok("docker", ["--host", host, "ps", "--quiet", "--filter", `label=bottle.instance=${stack.identity.instance}`, "--filter", "status=running"])).split("\n").filter(Boolean).length;

  async function expectGone(): Promise<void> {
    expect([await objects("container"), await objects("network"), await objects("volume")]).toEqual([[], [], []]);
  }

  onIt("up on an engine that the shell names", async () => {
    project = await scratchProject();
    const manifest = (...hosts: string[]) => ({ agent: { image: BASE_IMAGE }, network: { hosts } });
    stack = await project.stack("restart", manifest("docs.bottle.test"));
    await stack.up({ env });
    // A reload, which the engine must not take for a stop by hand.
    stack.write(manifest("docs.bottle.test", "more.bottle.test"));
    await stack.up({ env });
    expect(await running()).toBe(2);
  });

  onIt("after a restart the bottle comes back by itself, and up sees no change", async () => {
    await (engine as PrivateEngine).stop();
    await (engine as PrivateEngine).up();
    await until("both containers run", async () => (await running()) === 2, 30_000);
    await stack.succeed({ env }, "up", "--yes", "--skip-preview", "--expect-no-changes");
    // Memory file systems are mounted anew, and must be the agent's as before.
    const written = await ok("docker", ["--host", host, "exec", `${stack.identity.composeProject}-agent-1`, "sh", "-c", "cd && touch ./x /tmp/x /run/x /workspace/x && echo all"]);
    expect(written).toBe("all");
  });

  onIt("while it is stopped destroy fails and says what to do; once it runs again destroy works", async () => {
    await (engine as PrivateEngine).stop();
    const { code, output, seconds } = await stack.pulumi("destroy", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toMatch(new RegExp(`Docker engine.*${host}.*does not answer; start it and run pulumi destroy again`));
    expect(seconds).toBeLessThan(30);
    expect(stack.resourceCount()).toBeGreaterThan(0);
    await (engine as PrivateEngine).up();
    // The shell names another engine by now, or none: the bottle's own is meant.
    await stack.destroy();
    await expectGone();
  });

  onIt("stopped in the middle of an up: the next up works", async () => {
    const half = project.start(["up", "--yes", "--skip-preview", "--stack", stack.name], { env });
    await half.said("-teardown-guard created");
    await (engine as PrivateEngine).stop();
    expect((await half.done).code).not.toBe(0);
    await (engine as PrivateEngine).up();
    await stack.up({ env });
    expect(await running()).toBe(2);
    await stack.destroy();
    await expectGone();
  });
});
