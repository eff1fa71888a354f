// What an update of a living bottle touches: the least that its change needs.
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { plainGet } from "../lib/e2e-agent.ts";
import { containers, execIn, networks, type Container } from "../lib/e2e-engine.ts";
import { scratchProject, type Manifest, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { changedResources } from "../lib/e2e-pulumi.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, run, uniqueName } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "changes of a bottle without routes", () => {
  const names = ["one.bottle.test", "two.bottle.test", "three.bottle.test"];
  const otherImage = `${uniqueName("e2e-image")}:1`;
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let before: Record<string, Container>;
  let manifest: Manifest;

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    manifest = { agent: { image: "debian:trixie-slim" }, network: { hosts: [names[0]] }, trust: project.trust(upstream.ca) };
    stack = await project.stack("changes", manifest);
    await stack.up();
    named = await nameUpstream(stack, upstream, names);
    before = await containers(stack.identity.instance);
  });
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
    await run("docker", ["rmi", otherImage]);
  });

  /** Changes the manifest and brings it up. @returns what Pulumi changed */
  async function change(next: Partial<Manifest>): Promise<Record<string, string>> {
    before = await containers(stack.identity.instance);
    manifest = { ...manifest, ...next };
    stack.write(manifest);
    return changedResources((await stack.up()).output);
  }

  async function expectSame(...services: string[]): Promise<void> {
    const now = await containers(stack.identity.instance);
    for (const service of services) expect(now[service], service).toEqual(before[service]);
  }

  const status = async (host: string) => (await plainGet(before["agent"]!.name, `http://${host}/`)).status;

  test("only what the manifest allows is reached", async () => {
    expect(await status(names[0]!)).toBe(200);
    expect(await status(names[1]!)).toBe(403);
    expect(upstream.requests.map(({ headers }) => headers.host)).toEqual([names[0]]);
  });

  test("a new allowed host is in force at once, by reload: no container restarts", async () => {
    const changed = await change({ network: { hosts: [names[0], names[1]] } });
    expect(changed).toEqual({ "changes-pipelock-config": "updated" });
    await expectSame("agent", "pipelock");
    expect(await status(names[1]!)).toBe(200);
  });

  test("a host taken away is refused at once, by reload", async () => {
    const changed = await change({ network: { hosts: [names[1]] } });
    expect(changed).toEqual({ "changes-pipelock-config": "updated" });
    await expectSame("agent", "pipelock");
    expect(await status(names[0]!)).toBe(403);
    expect(await status(names[1]!)).toBe(200);
  });

  test("what pipelock will not reload restarts pipelock alone", async () => {
    const changed = await change({ network: { hosts: [names[1], { host: names[2], private: ["10.11.12.0/24"] }] } });
    expect(changed).toEqual({ "changes-pipelock-config": "updated" });
    await expectSame("agent");
    const { pipelock } = await containers(stack.identity.instance);
    expect(pipelock).toMatchObject({ id: before["pipelock"]!.id, running: true, health: "healthy" });
    expect(pipelock!.startedAt).not.toBe(before["pipelock"]!.startedAt);
    expect(await status(names[2]!)).toBe(200);
  });

  test("a new prompt and skill are there at once, and what is taken away goes; no container restarts", async () => {
    const read = async (path: string) => (await execIn(before["agent"]!.name, `cat ~/${path} 2>/dev/null || echo none`)).stdout;
    writeFileSync(project.path("prompt.md"), "first prompt");
    mkdirSync(project.path("greeting"));
    writeFileSync(project.path("greeting/SKILL.md"), "say hello");
    const agent = { image: "debian:trixie-slim", prompt: "prompt.md", skills: ["greeting"] };
    expect(await change({ agent })).toEqual({ "changes-agent-provision": "updated" });
    expect(await read("PROMPT.md")).toBe("first prompt");
    expect(await read("skills/greeting/SKILL.md")).toBe("say hello");

    writeFileSync(project.path("prompt.md"), "second prompt"); // the manifest itself is as it was
    expect(await change({ agent: { ...agent, skills: [] } })).toEqual({ "changes-agent-provision": "updated" });
    expect(await read("PROMPT.md")).toBe("second prompt");
    expect(await read("skills/greeting/SKILL.md")).toBe("none\n");
    await expectSame("agent", "pipelock");
  });

  test("a new image recreates the agent alone, and its home stays", async () => {
    await ok("docker", ["tag", "debian:trixie-slim", otherImage]);
    await ok("docker", ["exec", before["agent"]!.name, "sh", "-c", "echo kept > ~/kept"]);
    await change({ agent: { image: otherImage } });
    await expectSame("pipelock");
    const { agent } = await containers(stack.identity.instance);
    expect(agent!.running).toBe(true);
    expect(agent!.id).not.toBe(before["agent"]!.id);
    expect(await ok("docker", ["exec", agent!.name, "sh", "-c", "cat ~/kept"])).toBe("kept");
  });

  test("new limits hold, and recreate the agent alone", async () => {
    await change({ agent: { image: otherImage, limits: { memory: "256m", pids: 100 } } });
    await expectSame("pipelock");
    const { agent } = await containers(stack.identity.instance);
    expect(await ok("docker", ["inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}", agent!.id])).toBe("268435456 100");
  });

  test("a built image is built again when its context changed, and only then", async () => {
    const context = project.path("context");
    mkdirSync(context);
    writeFileSync(`${context}/Dockerfile`, "FROM debian:trixie-slim\nCOPY note /note\n");
    writeFileSync(`${context}/note`, "first");
    await change({ agent: { build: { context: "context" } } });
    const note = async () => ok("docker", ["exec", (await containers(stack.identity.instance))["agent"]!.name, "cat", "/note"]);
    expect(await note()).toBe("first");

    writeFileSync(`${context}/note`, "second");
    await change({});
    await expectSame("pipelock");
    expect(await note()).toBe("second");
  });

  test("after all that the bottle has settled, on its first networks", async () => {
    await stack.succeed({}, "preview", "--expect-no-changes");
    expect(Object.keys(await networks(stack.identity.instance))).toHaveLength(3);
    expect(await status(names[1]!)).toBe(200); // the upstream is still on the first network
  });
});
