// Bottles side by side on one engine: two stacks of one project, and two projects with a stack of the same name.
import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { plainGet } from "../lib/e2e-agent.ts";
import { containers, engineObjects, execIn } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { changeCounts } from "../lib/e2e-pulumi.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "bottles side by side", () => {
  const manifest = { agent: { image: "debian:trixie-slim" }, network: { hosts: ["docs.bottle.test"] } };
  let project: ScratchProject;
  let clone: ScratchProject;
  /** Two of one project, and one of the first one's name in another clone. */
  let first: Stack;
  let second: Stack;
  let namesake: Stack;

  beforeAll(async () => {
    [project, clone] = await Promise.all([scratchProject(), scratchProject()]);
    first = await project.stack("same", manifest);
    second = await project.stack("other", manifest);
    namesake = await clone.stack("same", manifest);
    // At once, as people do: a lock or a name that they shared would show.
    await Promise.all([first.up(), second.up(), namesake.up()]);
  });
  afterAll(async () => {
    // The second one goes too where the first one complains.
    const ended = await Promise.allSettled([project?.dispose(), clone?.dispose()]);
    for (const each of ended) if (each.status === "rejected") throw each.reason;
  });

  const all = () => Promise.all([first, second, namesake].map((stack) => containers(stack.identity.instance)));

  test("each has its own everything", async () => {
    const [a, b, c] = await all();
    for (const each of [a!, b!, c!]) expect(Object.keys(each).sort()).toEqual(["agent", "pipelock"]);
    expect(new Set([first, second, namesake].map(({ identity }) => identity.instance)).size).toBe(3);
    expect(first.identity.labels["bottle.stack"]).toBe(namesake.identity.labels["bottle.stack"]);
  });

  test("an up of one changes nothing of the others", async () => {
    const [, b, c] = await all();
    first.write({ ...manifest, agent: { ...manifest.agent, limits: { memory: "300m" } } });
    await first.up();
    const [, b2, c2] = await all();
    expect([b2, c2]).toEqual([b, c]);
    for (const stack of [second, namesake]) expect(changeCounts((await stack.succeed({}, "preview", "--expect-no-changes")).output)).toEqual({ unchanged: expect.any(Number) });
  });

  test("an agent reaches nothing of another bottle", async () => {
    const [a, b, c] = await all();
    expect((await plainGet(a!["agent"]!.name, "http://docs.bottle.test/")).status).not.toBe(0); // its own proxy answers
    for (const other of [b!, c!]) {
      for (const { id, name } of Object.values(other)) {
        const addresses = (await ok("docker", ["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", id])).trim().split(" ");
        for (const address of addresses) {
          const { stdout } = await execIn(a!["agent"]!.name, `timeout 2 bash -c 'exec 3<>/dev/tcp/${address}/8080' 2>/dev/null && echo reached || echo not`);
          expect(stdout, `${name} ${address}`).toBe("not\n");
          const through = await plainGet(a!["agent"]!.name, `http://${address}:8080/`);
          expect(through.status, `${name} ${address} through the proxy`).toBe(403);
        }
        expect((await execIn(a!["agent"]!.name, `getent hosts ${name}`)).stdout).toBe("");
      }
    }
  });

  test("destroy of one leaves the others up, its namesake too", async () => {
    const [, b, c] = await all();
    await first.destroy();
    expect(await first.leftovers()).toEqual([]);
    const [, b2, c2] = await all();
    expect([b2, c2]).toEqual([b, c]);
    expect(existsSync(`${second.state}/metadata.json`)).toBe(true);
    expect((await plainGet(b!["agent"]!.name, "http://docs.bottle.test/")).status).not.toBe(0);

    await second.destroy();
    expect(await engineObjects(second.identity.instance)).toEqual([]);
    expect((await containers(namesake.identity.instance))["agent"]).toEqual(c!["agent"]);
    await namesake.destroy();
    expect(await namesake.leftovers()).toEqual([]);
  });
});
