// The whole life of a bottle by the plain Pulumi commands.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { containers, engineObjects, execIn, networks } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { changeCounts } from "../lib/e2e-pulumi.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";

interface Step {
  op: string;
  urn: string;
  newState?: { type: string; inputs: Record<string, unknown> };
}

describeWith(["engine", "base", "pipelock", "pulumi"], "a bottle's life", () => {
  let project: ScratchProject;
  let stack: Stack;
  const host = "docs.bottle.test";

  beforeAll(async () => {
    project = await scratchProject();
    stack = project.register("life", { agent: { image: "debian:trixie-slim" }, network: { hosts: [host] } });
  });
  afterAll(() => project?.dispose());

  test("stack select --create makes the stack beside its manifest", async () => {
    const { code, output } = await project.pulumi(["stack", "select", "--create", stack.name]);
    expect(output).not.toContain("error");
    expect(code).toBe(0);
    expect(readFileSync(stack.file, "utf8")).toMatch(/encryptionsalt:/);
  });

  test("the first preview knows all that a policy reads, and makes nothing", async () => {
    const { code, stdout, output } = await stack.pulumi("preview", "--json");
    expect(code, output).toBe(0);
    const { steps } = JSON.parse(stdout) as { steps: Step[] };
    const named = (name: string) => steps.find(({ urn }) => urn.endsWith(`::${name}`))?.newState?.inputs;
    const compose = parse(named("life-up")!["stdin"] as string) as { services: Record<string, unknown>; networks: Record<string, { name: string }> };
    expect(Object.keys(compose.services).sort()).toEqual(["agent", "pipelock"]);
    expect(compose.networks["internal"]!.name).toBe(`${stack.identity.composeProject}-internal`);
    const made = steps.filter(({ newState }) => newState?.type === "docker:index/network:Network");
    expect(made.map(({ newState }) => newState!.inputs["internal"]).sort()).toEqual([false, true, true]);
    expect(JSON.stringify(made)).toMatch(/"subnet":"10\.\d+\.\d+\.\d+\/28"/);
    expect(await stack.leftovers()).toEqual([]);
    expect(existsSync(stack.state)).toBe(false);
  });

  test("up brings everything up, healthy, and says how to enter", async () => {
    const { output } = await stack.up();
    expect(changeCounts(output)).toEqual({ created: expect.any(Number) });
    const up = await containers(stack.identity.instance);
    expect(Object.keys(up).sort()).toEqual(["agent", "pipelock"]);
    expect(up["pipelock"]).toMatchObject({ running: true, health: "healthy" });
    expect(up["agent"]).toMatchObject({ running: true, name: `${stack.identity.composeProject}-agent-1` });

    const outputs = JSON.parse((await stack.succeed({}, "stack", "output", "--json")).stdout) as Record<string, unknown>;
    expect(outputs).toMatchObject({
      attach: `docker exec -it ${up["agent"]!.name} sh`,
      agentContainer: up["agent"]!.name,
      proxyUrl: "http://proxy:8080",
      composeProject: stack.identity.composeProject,
      state: stack.state,
    });
    expect(Object.values(outputs["networks"] as object).sort()).toEqual(Object.keys(await networks(stack.identity.instance)).sort());
    const entered = await execIn(outputs["agentContainer"] as string, "id -u; pwd; touch ~/here /workspace/here /tmp/here; touch /here");
    expect(entered.stdout).toBe("1000\n/workspace\n");
    expect(entered.stderr).toMatch(/^touch: cannot touch '\/here': Read-only file system\n$/);
  });

  test("the files hold what the issue says, keys 0600 in 0700 folders", () => {
    const metadata = JSON.parse(readFileSync(join(stack.state, "metadata.json"), "utf8")) as Record<string, unknown>;
    expect(metadata).toMatchObject({ slug: "life", stack: "life", compose_project: stack.identity.composeProject, agent_container: `${stack.identity.composeProject}-agent-1` });
    expect(metadata).toHaveProperty("created_at");
    expect(metadata).toHaveProperty("versions.pipelock");
    const files = readdirSync(stack.state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const privateFiles = files.filter(({ name }) => /key|mitmproxy-ca|pipelock\.yaml|rules\.yaml|docker-compose/.test(name));
    expect(privateFiles.map(({ name }) => name)).toEqual(expect.arrayContaining(["ca-key.pem", "mitmproxy-ca.pem", "pipelock.yaml", "docker-compose.yml"]));
    for (const { parentPath, name } of privateFiles) {
      expect((statSync(join(parentPath, name)).mode & 0o777).toString(8), join(parentPath, name)).toBe("600");
      expect((statSync(parentPath).mode & 0o777).toString(8), parentPath).toBe("700");
    }
  });

  test("a second preview and up change nothing, and no container", async () => {
    const before = await containers(stack.identity.instance);
    const preview = await stack.succeed({}, "preview", "--expect-no-changes");
    expect(changeCounts(preview.output)).toEqual({ unchanged: expect.any(Number) });
    const up = await stack.succeed({}, "up", "--yes", "--skip-preview", "--expect-no-changes");
    expect(changeCounts(up.output)).toEqual({ unchanged: expect.any(Number) });
    const refreshed = await stack.succeed({}, "preview", "--refresh", "--expect-no-changes");
    expect(changeCounts(refreshed.output)).toEqual({ unchanged: expect.any(Number) });
    expect(await containers(stack.identity.instance)).toEqual(before);
  });

  test("destroy leaves logs and the agent's work, and nothing on the engine", async () => {
    await stack.destroy();
    expect(await stack.leftovers()).toEqual([]);
    expect(readdirSync(stack.state).sort()).toEqual(["compose.log", "evidence", expect.stringMatching(/^work-.*\.tar\.gz$/)]);
    const work = readdirSync(stack.state).find((name) => name.startsWith("work-"))!;
    expect(await ok("sh", ["-c", 'tar --extract --to-stdout --file "$0" ./files.tar | tar --list', join(stack.state, work)])).toMatch(/^(\.\/)?here$/m);
    const log = readFileSync(join(stack.state, "compose.log"), "utf8");
    expect(log).toMatch(/^pipelock-1 +\| \d{4}-\d\d-\d\dT\S+Z /m);
    expect(stack.resourceCount()).toBe(0);
  });

  test("up again after destroy works, and so does a second destroy", async () => {
    await stack.up();
    expect(Object.keys(await containers(stack.identity.instance)).sort()).toEqual(["agent", "pipelock"]);
    await stack.destroy();
    expect(await engineObjects(stack.identity.instance)).toEqual([]);
    const log = readFileSync(join(stack.state, "compose.log"), "utf8");
    expect(log.match(/^== /gm)).toHaveLength(2);
    expect((await stack.destroy()).code).toBe(0);
  });
});
