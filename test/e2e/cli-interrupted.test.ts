// Approvals that are cut off, on a real bottle: by the human, by the system, by a kill, by a power cut.
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { plainGet } from "../lib/e2e-agent.ts";
import { answerOf, ask, bottle, startBottle, type RunningBottle } from "../lib/e2e-cli.ts";
import { containers } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { sessionMembers } from "../lib/e2e-pulumi.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { until } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "an approval that is cut off", () => {
  const names = Array.from({ length: 8 }, (_, index) => `cut-${index}.bottle.test`);
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let agent: string;

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    stack = await project.stack("cut", {
      agent: { image: "debian:trixie-slim" },
      network: { routes: [{ host: names[0], scheme: "http" }] },
      trust: project.trust(upstream.ca),
    });
    const up = await bottle(project, ["up", "cut"]);
    expect(up.code, up.output).toBe(0);
    named = await nameUpstream(stack, upstream, names);
    agent = (await containers(stack.identity.instance))["agent"]!.name;
  }, 900_000);
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  const status = async (host: string) => (await plainGet(agent, `http://${host}/`)).status;
  const manifest = () => readFileSync(stack.file, "utf8");
  const rules = () => ["egress/rules/rules.yaml", "pipelock/config/pipelock.yaml"].map((path) => readFileSync(join(stack.state, path), "utf8")).join("\n");
  const kinds = () => readFileSync(join(stack.state, "audit.jsonl"), "utf8").trim().split("\n").map((line) => (JSON.parse(line) as { kind: string }).kind);
  const record = () => join(stack.state, "deciding.json");
  /** The backend's locks on the stack: an update has one while it runs. */
  const locks = () => {
    const folder = project.path("backend/.pulumi/locks/organization/bottle/cut");
    return existsSync(folder) ? readdirSync(folder).flatMap((name) => (name.endsWith(".json") ? [join(folder, name)] : [])) : [];
  };

  /** An approval in the middle of its update: pipelock or egress is just given the new rule. */
  async function midway(host: string): Promise<{ id: string; running: RunningBottle; before: string }> {
    const id = ask(stack, "host", { host });
    const before = manifest();
    const running = startBottle(project, ["approve", id, "--yes"]);
    await until("the update writes rules", () => rules().includes(host), 60_000);
    expect(manifest()).not.toBe(before);
    return { id, running, before };
  }

  async function expectAsBefore(host: string, before: string): Promise<void> {
    expect(manifest()).toBe(before);
    expect(rules()).not.toContain(host);
    expect(await status(host)).toBe(403);
    expect(await status(names[0]!)).toBe(200);
    expect(existsSync(record())).toBe(false);
    await stack.succeed({}, "preview", "--expect-no-changes");
  }

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s: it ends in order, everything is as before, and the agent is told", async (signal, code) => {
    const { id, running, before } = await midway(names[1]!);
    // npm, and a terminal that closes, send the same one twice.
    process.kill(running.pid, signal);
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.kill(running.pid, signal);
    const ended = await running.done;
    expect(ended.code, ended.output).toBe(code);
    expect(ended.stderr).toContain("interrupted: what has begun is stopped");
    expect(ended.stderr).toContain(`${id}: was not granted, the old rules hold: was interrupted (${signal})`);
    expect(answerOf(stack, id)).toMatchObject({ decision: "failed", why: expect.stringContaining("the human stopped it") as string });
    expect(kinds().slice(-2)).toEqual(["failed", "anchor"]);
    await expectAsBefore(names[1]!, before);
  });

  test("interrupted twice, it leaves at once with the manifest as before; the next `up` puts the sidecars right", async () => {
    const { id, running, before } = await midway(names[2]!);
    process.kill(running.pid, "SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 700));
    process.kill(running.pid, "SIGINT");
    const ended = await running.done;
    expect(ended.code, ended.output).toBe(130);
    expect(ended.stderr).toContain("bottle up cut");
    expect(answerOf(stack, id)).toMatchObject({ decision: "failed" });
    expect(manifest()).toBe(before);
    expect((await bottle(project, ["requests", "cut"])).stderr).toContain(`what was begun for ${id} on cut`);
    const up = await bottle(project, ["up", "cut"]);
    expect(up.code, up.output).toBe(0);
    await expectAsBefore(names[2]!, before);
    expect(kinds().slice(-2)).toEqual(["settled", "anchor"]);
  });

  test("killed, its update goes on alone; the next command puts the manifest back, the next approval the rules", async () => {
    const { id, running, before } = await midway(names[3]!);
    process.kill(running.pid, "SIGKILL");
    await running.done;
    const list = await bottle(project, ["requests", "cut"]);
    expect(list.stderr).toContain(`the approval of ${id} on cut was cut off`);
    expect(list.stderr).toContain("Pulumi.cut.yaml is put back as it was before");
    expect(list.stdout).toMatch(new RegExp(`${id}\\s+cut\\s+open`));
    expect(manifest()).toBe(before);
    expect(kinds().slice(-2)).toEqual(["interrupted", "anchor"]);
    expect(answerOf(stack, id)).toBeUndefined();

    await until("the update that was left alone has ended", () => locks().length === 0, 60_000);
    expect(await status(names[3]!)).toBe(200);
    const other = ask(stack, "host", { host: names[4] });
    const approved = await bottle(project, ["approve", other, "--yes"]);
    expect(approved.code, approved.output).toBe(0);
    expect(approved.stderr).toContain("bringing back the rules as they were");
    expect(await status(names[3]!)).toBe(403);
    expect(await status(names[4]!)).toBe(200);
    expect(existsSync(record())).toBe(false);
    expect((await bottle(project, ["reject", id, "--why", "not now"])).code).toBe(0);
  });

  test("after a power cut in the middle, the stack's lock that nobody holds any more goes too", async () => {
    const { id, running, before } = await midway(names[5]!);
    // The command, and its update's session with all that runs there.
    const { pid } = JSON.parse(readFileSync(locks()[0]!, "utf8")) as { pid: number };
    for (const each of [running.pid, ...sessionMembers(pid)]) process.kill(each, "SIGKILL");
    await running.done;
    expect(locks()).toHaveLength(1);
    const shown = await bottle(project, ["show", id]);
    expect(shown.stderr).toContain(`the approval of ${id} on cut was cut off`);
    expect(manifest()).toBe(before);
    const approved = await bottle(project, ["approve", id, "--yes"]);
    expect(approved.code, approved.output).toBe(0);
    expect(approved.stderr).toContain("bringing back the rules as they were");
    expect(answerOf(stack, id)).toMatchObject({ decision: "approved" });
    expect(await status(names[5]!)).toBe(200);
    await stack.succeed({}, "preview", "--expect-no-changes");
  });

  test("a manifest that was changed since is left to the human: every look says so, an approval stops", async () => {
    const { id, running, before } = await midway(names[6]!);
    process.kill(running.pid, "SIGKILL");
    await running.done;
    appendFileSync(stack.file, "# somebody's own\n");
    const changed = manifest();
    for (let each = 0; each < 2; each++) {
      const shown = await bottle(project, ["requests", "cut"]);
      expect(shown.stderr).toMatch(new RegExp(`${id} on cut was cut off .* was changed since, so it is left as it is`));
      expect(shown.stderr).toMatch(/\+.*cut-6\.bottle\.test/);
    }
    const stopped = await bottle(project, ["approve", id, "--yes"]);
    expect(stopped.code, stopped.output).toBe(1);
    expect(stopped.stderr).toContain("Take it out of Pulumi.cut.yaml");
    expect(manifest()).toBe(changed);
    expect(kinds().slice(-2)).toEqual(["interrupted", "anchor"]);
    writeFileSync(stack.file, `${before}# somebody's own\n`);
    expect((await bottle(project, ["approve", id, "--yes"])).stderr).toContain("bottle up cut");
    await until("the update that was left alone has ended", () => locks().length === 0, 60_000);
    const up = await bottle(project, ["up", "cut"]);
    expect(up.code, up.output).toBe(0);
    await expectAsBefore(names[6]!, `${before}# somebody's own\n`);
  });

  test("of two at once the second says whose the first is", async () => {
    const { id, running } = await midway(names[7]!);
    const other = ask(stack, "host", { host: "late.bottle.test" });
    const second = await bottle(project, ["reject", other, "--why", "at the same time"]);
    expect(second.code, second.output).toBe(1);
    expect(second.stderr).toMatch(new RegExp(`under way: bottle approve ${id}, of .+, process ${running.pid}, for \\d+ s`));
    expect((await running.done).code).toBe(0);
    expect((await bottle(project, ["reject", other, "--why", "after it"])).code).toBe(0);
  });

  test("and the chains of what was recorded are whole", async () => {
    const verified = await bottle(project, ["audit", "verify", "cut"]);
    expect(verified.code, verified.output).toBe(0);
  });
});
