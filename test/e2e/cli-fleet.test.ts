// Ten bottles side by side, brought up and taken away by one command: as many networks as Docker's own pools hold at all.
import { afterAll, beforeAll, expect, test } from "vitest";
import { bottle } from "../lib/e2e-cli.ts";
import { containers, engineObjects, execIn } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "bottles side by side", () => {
  const names = Array.from({ length: 10 }, (_, index) => `side-${index}`);
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
    const boxes = await Promise.all(stacks.map(async (stack) => {
      const { agent, pipelock } = await containers(stack.identity.instance);
      await ok("docker", ["exec", "-d", agent!.id, "perl", "-MIO::Socket::INET", "-e", "$s = IO::Socket::INET->new(LocalPort => 7000, Listen => 50) or die; while ($c = $s->accept) { close $c }"]);
      const addresses = async (id: string) => (await ok("docker", ["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", id])).trim().split(" ");
      return { agent: agent!.id, own: (await addresses(agent!.id)).map((address) => `${address}/7000`), proxy: (await addresses(pipelock!.id)).map((address) => `${address}/8080`) };
    }));
    expect(new Set(boxes.flatMap(({ own, proxy }) => [...own, ...proxy])).size).toBe(30);
    // All tried at once, as a scan would.
    const reached = async (from: string, targets: readonly string[]) =>
      (await execIn(from, targets.map((target) => `(timeout 3 bash -c 'exec 3<>/dev/tcp/${target}' 2>/dev/null && echo ${target}) &`).join("\n") + "\nwait")).stdout.split("\n").filter(Boolean).sort();
    for (const box of boxes) {
      const others = boxes.filter((other) => other !== box).flatMap(({ own, proxy }) => [...own, ...proxy]);
      expect(await reached(box.agent, ["proxy/8080", ...box.own, ...others])).toEqual([...box.own, "proxy/8080"].sort());
    }
  });

  test("one that fails does not keep the others; each failure is told", async () => {
    project.register("side-x", { network: { hosts: ["*"] } });
    const up = await bottle(project, ["up", "side-0", "side-x"]);
    expect(up.code).toBe(1);
    expect(up.stderr).toMatch(/1 of 2 failed:\n {2}- side-x: [\s\S]*bottle:network\.hosts\[0\]/);
    expect((await bottle(project, ["down", "side-0"])).stderr).toContain("Add --yes");
  });

  test("all go at once", async () => {
    const down = await bottle(project, ["down", ...names, "--yes"]);
    expect(down.code, down.output).toBe(0);
    for (const stack of stacks) expect(await engineObjects(stack.identity.instance)).toEqual([]);
  });
});
