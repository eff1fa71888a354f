// SIGKILL at many moments of up and destroy. What Pulumi needs afterwards is `pulumi cancel`; nothing else is done by hand.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { containers, engineObjects } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { describeWith } from "../lib/parts.ts";

/** Moments of an up, as shares of how long a whole one takes here. */
const shares = [0.2, 0.34, 0.44, 0.54, 0.64, 0.74, 0.84, 0.94];

describeWith(["engine", "base", "pipelock", "pulumi"], "killed at any moment", () => {
  let project: ScratchProject;
  let stack: Stack;
  /** Seconds. */
  let up: number;
  let destroy: number;

  beforeAll(async () => {
    project = await scratchProject();
    stack = await project.stack("killed", { agent: { image: "debian:trixie-slim" }, network: { hosts: [{ host: "docs.bottle.test", inspect: false }] } });
    await stack.up({ timeout: 300_000 }); // images may have to be made
    ({ seconds: destroy } = await stack.destroy());
    ({ seconds: up } = await stack.up());
    await stack.destroy();
  });
  afterAll(() => project?.dispose());

  async function kill(whom: "all" | "cli", seconds: number, ...args: string[]): Promise<void> {
    const running = stack.start(...args, "--yes", "--skip-preview");
    await Promise.race([running.done, new Promise((resolve) => setTimeout(resolve, seconds * 1000))]);
    if (whom === "all") await running.killAll();
    else running.killCli();
    await running.done;
    await stack.pulumi("cancel", "--yes");
  }

  async function expectWhole(): Promise<void> {
    const all = await containers(stack.identity.instance);
    expect(Object.keys(all).sort()).toEqual(["agent", "egress", "pipelock"]);
    for (const { service, running, health } of Object.values(all)) expect([service, running, health ?? "healthy"]).toEqual([service, true, "healthy"]);
    expect((await engineObjects(stack.identity.instance)).filter((each) => each.startsWith("network"))).toHaveLength(3);
  }

  async function expectGone(): Promise<void> {
    await stack.destroy();
    expect(await stack.leftovers()).toEqual([]);
  }

  describe("up", () => {
    shares.forEach((share, index) => {
      const whom = index % 2 === 0 ? "all" : "cli";
      const next = index % 4 < 2 ? "destroy" : "up";
      test(`after ${Math.round(share * 100)} % of it, ${whom === "all" ? "with all it started" : "the CLI alone"}; then ${next}`, async () => {
        await kill(whom, share * up, "up");
        if (next === "up") {
          await stack.up();
          await expectWhole();
        }
        await expectGone();
      });
    });
  });

  describe("destroy", () => {
    test.each([0.4, 0.6, 0.85])("after a share of %f of it, then destroy again", async (share) => {
      await stack.up();
      await kill("all", share * destroy, "destroy");
      await expectGone();
    });

    test("half-way, then up", async () => {
      await stack.up();
      await kill("all", 0.6 * destroy, "destroy");
      await stack.up();
      await expectWhole();
      await expectGone();
    });
  });
});
