// What people, the engine and crashes do to a running bottle: preview names it, up mends that alone, and what can
// come back by itself does.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findDrift } from "../../components/drift/drift.ts";
import { findEngine } from "../../components/machine/engine.ts";
import { stateFolder } from "../../components/state-folder.ts";
import { callTool, curl } from "../lib/e2e-agent.ts";
import { containers, execIn, type Container } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { changedResources } from "../lib/e2e-pulumi.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, until } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "drift", () => {
  const names = ["passed.bottle.test", "inspected.bottle.test"];
  const services = ["agent", "egress", "git-gate", "pipelock", "supervise"];
  let env: Record<string, string> = { E2E_DRIFT_TOKEN: "first-token-of-drift" };
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let before: Record<string, Container>;

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    const repository = project.path("app.git");
    await ok("sh", ["-c", `git init -q --bare '${repository}' && chmod -R a+rX '${repository}' && chmod a+rx '${project.folder}'`]);
    stack = await project.stack("drift", {
      agent: { preset: "claude", claude: { login: "none" } },
      network: { routes: [{ host: names[0], inspect: false, auth: { variable: "E2E_DRIFT_TOKEN" } }, { host: names[1] }] },
      git: { author: { name: "Drift", email: "drift@bottle.test" }, upstreams: [{ url: `file://${repository}` }] },
      supervise: true,
      trust: project.trust(upstream.ca),
    });
    await stack.up({ env, timeout: 900_000 });
    named = await nameUpstream(stack, upstream, names);
    before = await containers(stack.identity.instance);
  });
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  const agent = () => `${stack.identity.composeProject}-agent-1`;
  const name = (service: string) => before[service]!.name;
  const status = async (host: string) => (await curl(agent(), `--max-time 8 https://${host}/`)).status;
  /** Signals what runs inside: the child of the container's init. */
  const signal = async (service: string, kind: string) => {
    const children = await ok("sh", ["-c", `cat /proc/$(docker inspect --format '{{.State.Pid}}' ${name(service)})/task/*/children`]);
    await ok("kill", [kind, ...children.trim().split(/\s+/)]);
  };
  const noChange = () => stack.succeed({ env }, "preview", "--expect-no-changes");

  /** Services whose container is another than before, or was started again. */
  async function touched(): Promise<string[]> {
    const now = await containers(stack.identity.instance);
    expect(Object.keys(now).sort()).toEqual(services);
    return services.filter((service) => before[service]!.id !== now[service]!.id || before[service]!.startedAt !== now[service]!.startedAt);
  }

  async function expectWhole(): Promise<void> {
    const now = await containers(stack.identity.instance);
    expect(Object.values(now).filter(({ running, health }) => !running || (health ?? "healthy") !== "healthy")).toEqual([]);
    expect(await status(names[0]!)).toBe(200);
    expect(upstream.requests.at(-1)!.headers["authorization"]).toBe(`Bearer ${env["E2E_DRIFT_TOKEN"]}`);
    expect(await status(names[1]!)).toBe(200);
    expect((await execIn(agent(), `curl -sS --noproxy '*' --max-time 3 https://${names[0]}/`)).code).not.toBe(0);
  }

  /** Preview says each finding, up mends just those services, and the preview after it shows nothing. */
  async function mends(findings: RegExp[], expected: string[], resources: string[] = ["drift-up"]): Promise<void> {
    const preview = await stack.succeed({ env }, "preview", "--diff");
    for (const finding of findings) expect(preview.output).toMatch(new RegExp(`drift: ${finding.source}`));
    const up = await stack.up({ env });
    expect(Object.keys(changedResources(up.output)).sort()).toEqual(resources);
    expect(await touched()).toEqual(expected);
    await noChange();
    await expectWhole();
    before = await containers(stack.identity.instance);
  }

  test("an untouched bottle shows no change, and the look costs at most half a second", async () => {
    await noChange();
    await expectWhole();
    const engine = await findEngine();
    const started = Date.now();
    const drift = await findDrift(stack.identity, engine, stateFolder(project.folder, stack.identity.slug));
    const took = Date.now() - started;
    console.log(`the look took ${took} ms`);
    expect(drift).toEqual({ findings: [], missingFiles: [] });
    expect(took).toBeLessThan(500);
  });

  test("a sidecar killed by hand, twice: the agent has no way out until up has mended it", async () => {
    for (const round of [1, 2]) {
      await ok("docker", ["kill", name("pipelock")]);
      expect(await status(names[0]!), `round ${round}`).not.toBe(200);
      await mends([/pipelock is stopped \(exit code 137\); `pulumi up` mends it/], ["pipelock"]);
    }
  });

  test("one paused, one changed by docker update: both at once", async () => {
    await ok("docker", ["pause", name("git-gate")]);
    await ok("docker", ["update", "--memory", "300m", "--memory-swap", "600m", "--restart", "no", name("egress")]);
    await mends([/egress has a memory limit of 314572800 instead of 536870912, has the restart policy no instead of unless-stopped/, /git-gate is paused/], ["egress"]);
    expect(await ok("docker", ["inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}", name("egress")])).toBe("536870912 unless-stopped");
  });

  test("one taken off its network", async () => {
    await ok("docker", ["network", "disconnect", `${stack.identity.composeProject}-transit`, name("egress")]);
    expect(await status(names[0]!)).not.toBe(200);
    await mends([/egress is not on the network bottle-drift-[0-9a-f]+-transit/], ["egress"]);
  });

  test("an agent put on a network that leads out is made anew, and provisioned", async () => {
    await ok("docker", ["exec", agent(), "sh", "-c", "echo kept > ~/kept"]);
    await ok("docker", ["network", "connect", `${stack.identity.composeProject}-egress`, agent()]);
    await mends([/agent is on the network bottle-drift-[0-9a-f]+-egress, which is not declared/], ["agent"], ["drift-agent-provision", "drift-up"]);
    expect(await ok("docker", ["exec", agent(), "sh", "-c", "cat ~/kept"])).toBe("kept");
  });

  test("a rendered file that is gone is written again, and rules", async () => {
    const file = join(stack.state, "egress/rules/rules.yaml");
    const rules = readFileSync(file, "utf8");
    rmSync(file);
    rmSync(join(stack.state, "metadata.json"));
    const preview = await stack.succeed({ env }, "preview");
    expect(preview.output).toMatch(/drift: \S+\/egress\/rules\/rules\.yaml is missing; `pulumi up` mends it/);
    expect(preview.output).toMatch(/drift: \S+\/metadata\.json is missing/);
    await stack.up({ env });
    expect(readFileSync(file, "utf8")).toBe(rules);
    expect(existsSync(join(stack.state, "metadata.json"))).toBe(true);
    expect(await touched()).toEqual(["egress"]); // started again, to mount what may be a new folder
    await noChange();
    await expectWhole();
    before = await containers(stack.identity.instance);
  });

  test.each(["git-gate", "supervise"])("a %s that hangs is unhealthy: up starts it again", async (service) => {
    await signal(service, "-STOP");
    await until(`${service} is unhealthy`, async () => (await containers(stack.identity.instance))[service]!.health === "unhealthy", 60_000);
    await mends([new RegExp(`${service} is unhealthy`)], [service]);
  });

  test("a project taken down by hand, with refresh: all is made anew", async () => {
    await ok("docker", ["compose", "--project-name", stack.identity.composeProject, "down", "--timeout", "2"]);
    const { output } = await stack.succeed({ env }, "preview", "--refresh");
    for (const service of services) expect(output).toMatch(new RegExp(`drift: ${service} is missing`));
    await stack.up({ env });
    await noChange();
    await expectWhole();
    before = await containers(stack.identity.instance);
  });

  test.each(["pipelock", "egress", "git-gate", "supervise"])("the process of %s killed: back within 5 s by itself, with the same rules and tokens", async (service) => {
    const killed = Date.now();
    await signal(service, "-KILL");
    const direct = await execIn(agent(), `curl -sS --noproxy '*' --max-time 1 https://${names[0]}/`);
    expect(direct.code).not.toBe(0);
    const back = async () => {
      const now = (await containers(stack.identity.instance))[service]!;
      return now.startedAt !== before[service]!.startedAt && now.running && now.health === "healthy";
    };
    await until(`${service} is back`, back, 15_000);
    const took = Date.now() - killed;
    console.log(`${service} was healthy again after ${took} ms`);
    expect(took).toBeLessThan(5_000);
    expect(await touched()).toEqual([service]);
    await expectWhole();
    expect((await curl(agent(), "https://elsewhere.bottle.test/")).status).not.toBe(200);
    await noChange();
    before = await containers(stack.identity.instance);
  });

  test("an agent that waits for an answer when supervise is killed asks again, and has gained nothing", async () => {
    const elsewhere = "elsewhere.bottle.test";
    const { id } = await callTool(agent(), "request_host", { host: elsewhere, why: "to read it" });
    const requests = async () => (await callTool(agent(), "list_requests", {}))["requests"];
    const asked = await requests();
    expect(asked).toEqual([expect.objectContaining({ id, status: "open" })]);
    const waiting = callTool(agent(), "wait_for_answer", { id, seconds: 50 }).catch((error: Error) => error);
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // it waits by then
    await signal("supervise", "-KILL");
    expect(await waiting).toBeInstanceOf(Error);
    expect((await curl(agent(), `https://${elsewhere}/`)).status).not.toBe(200);
    await until("supervise is back", async () => (await requests().catch(() => undefined)) !== undefined, 5_000);
    expect(await requests()).toEqual(asked);
    expect(await callTool(agent(), "wait_for_answer", { id, seconds: 1 })).toMatchObject({ id, status: "open" });
    expect((await curl(agent(), `https://${elsewhere}/`)).status).not.toBe(200);
    expect(await touched()).toEqual(["supervise"]);
    before = await containers(stack.identity.instance);
  });

  test("an egress that hangs is ended by its own health check, and comes back", async () => {
    const stopped = Date.now();
    await signal("egress", "-STOP");
    await until("egress is back", async () => {
      const egress = (await containers(stack.identity.instance))["egress"]!;
      return egress.startedAt !== before["egress"]!.startedAt && egress.health === "healthy";
    }, 70_000);
    console.log(`egress that hung was healthy again after ${Date.now() - stopped} ms`);
    expect(await touched()).toEqual(["egress"]);
    await expectWhole();
    await noChange();
    before = await containers(stack.identity.instance);
  });

  test("another token: one up, no restart", async () => {
    env = { E2E_DRIFT_TOKEN: "second-token-of-drift" };
    await stack.up({ env });
    expect(await touched()).toEqual([]);
    await expectWhole();
  });

  test("and killed after that reload, egress comes back by itself all the same", async () => {
    await signal("egress", "-KILL");
    await until("egress is back", async () => {
      const egress = (await containers(stack.identity.instance))["egress"]!;
      return egress.startedAt !== before["egress"]!.startedAt && egress.health === "healthy";
    }, 15_000);
    await expectWhole();
    before = await containers(stack.identity.instance);
  });

  test.each(["egress", "pipelock"])("another key for the authority of %s: one up, which restarts it alone, and all trust it", async (service) => {
    const up = await stack.succeed({ env }, "up", "--yes", "--skip-preview", "--replace", `**PrivateKey::drift-${service}-ca`);
    expect(changedResources(up.output)).toHaveProperty(`drift-${service}-ca-files`);
    expect(await touched()).toEqual([service]);
    await expectWhole();
    await noChange();
    before = await containers(stack.identity.instance);
  });
});
