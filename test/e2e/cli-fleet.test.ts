// Several bottles side by side, brought up and taken away by one command. (Ten: `npm run bench -- --only approve`.)
import { afterAll, beforeAll, expect, test } from "vitest";
import { bottle } from "../lib/e2e-cli.ts";
import { containers, engineObjects, execIn } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "bottles side by side", () => {
  const names = ["side-a", "side-b", "side-c"];
  let project: ScratchProject;
  let stacks: Stack[];

  beforeAll(async () => {
    project = await scratchProject();
    stacks = names.map((name) => project.register(name, { agent: { image: "debian:trixie-slim" } }));
    const up = await bottle(project, ["up", ...names]);
    expect(up.code, up.output).toBe(0);
    for (const name of names) expect(up.stdout).toContain(`${name} | `);
  }, 600_000);
  afterAll(() => project?.dispose());

  test("all are up and healthy, and none sees another", async () => {
    const { stdout } = await bottle(project, ["ls", "--json"]);
    const own = (JSON.parse(stdout) as { stack: string; health: string; project?: string }[]).filter((each) => each.project === project.folder);
    expect(own.map(({ stack, health }) => `${stack} ${health}`)).toEqual(names.map((name) => `${name} healthy`));
    const address = async (stack: Stack) => (await ok("docker", ["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", (await containers(stack.identity.instance))["pipelock"]!.id])).trim().split(" ");
    const reach = async (from: Stack, host: string) => (await execIn((await containers(from.identity.instance))["agent"]!.id, `timeout 3 bash -c 'exec 3<>/dev/tcp/${host}/8080'`)).code === 0;
    expect(await reach(stacks[0]!, "proxy")).toBe(true);
    for (const other of await address(stacks[1]!)) expect(await reach(stacks[0]!, other), other).toBe(false);
  });

  test("one that fails does not keep the others; each failure is told", async () => {
    project.register("side-d", { network: { hosts: ["*"] } });
    const up = await bottle(project, ["up", "side-a", "side-d"]);
    expect(up.code).toBe(1);
    expect(up.stderr).toMatch(/1 of 2 failed:\n {2}- side-d: [\s\S]*bottle:network\.hosts\[0\]/);
    expect((await bottle(project, ["down", "side-a"])).stderr).toContain("Add --yes");
  });

  test("all go at once", async () => {
    const down = await bottle(project, ["down", ...names, "--yes"]);
    expect(down.code, down.output).toBe(0);
    for (const stack of stacks) expect(await engineObjects(stack.identity.instance)).toEqual([]);
  });
});
