// Faults of the machine: warnings in preview, errors at the start of up, and nothing made.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineObjects, ownSubnet } from "../lib/e2e-engine.ts";
import { scratchProject, type Manifest, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { labelled, removeLabelled } from "../lib/cleanup.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, uniqueName } from "../lib/run.ts";

const image = "debian:trixie-slim";

describeWith(["engine", "base", "pipelock", "pulumi"], "a machine that is not ready", () => {
  const owner = uniqueName("e2e-bad");
  let project: ScratchProject;
  let stack: Stack;

  beforeAll(async () => {
    project = await scratchProject();
    stack = await project.stack("bad", { agent: { image } });
  });
  afterAll(async () => {
    await removeLabelled(owner);
    await project?.dispose();
  });

  /** Preview warns of each fault and succeeds; up names it and has made nothing. */
  const expectFault = (manifest: Manifest, env: NodeJS.ProcessEnv, ...faults: (string | RegExp)[]): Promise<void> => expectFaults(manifest, env, "previews", faults);

  /** @param provider whether the Docker provider can preview: it connects to the engine as soon as it is configured. */
  async function expectFaults(manifest: Manifest, env: NodeJS.ProcessEnv, provider: "previews" | "fails", faults: (string | RegExp)[]): Promise<void> {
    stack.write(manifest);
    const [preview, up] = [await stack.pulumiWith({ env }, "preview"), await stack.pulumiWith({ env }, "up", "--yes", "--skip-preview")];
    expect(preview.code === 0, preview.output).toBe(provider === "previews");
    expect(up.code).not.toBe(0);
    expect(up.output).toContain("this machine is not ready for the bottle, and nothing was changed:");
    for (const fault of faults) {
      expect(preview.output).toMatch(typeof fault === "string" ? new RegExp(`warning: ${fault.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`) : fault);
      expect(up.output).toMatch(typeof fault === "string" ? new RegExp(`- ${fault.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`) : fault);
    }
    // Of the program's own resources, only Pulumi's stack itself may have come to be.
    expect(stack.resourceCount()).toBeLessThanOrEqual(1);
    expect(await engineObjects(stack.identity.instance)).toEqual([]);
  }

  test("files and tokens that are not there, all named at once", () =>
    expectFault(
      {
        agent: { image, prompt: "no-prompt.md", skills: ["no-skill"], workspace: { path: "no-workspace" } },
        network: { routes: [{ host: "api.bottle.test", auth: { variable: "E2E_NOT_SET" } }] },
        trust: { caFiles: ["no-ca.pem"] },
      },
      {},
      `bottle:agent.prompt: "no-prompt.md" is not there (looked for ${project.path("no-prompt.md")}); create it, or correct the path`,
      'bottle:agent.skills[0]: "no-skill" is not there',
      'bottle:agent.workspace.path: "no-workspace" is not there',
      "bottle:network.routes (api-bottle-test): the variable E2E_NOT_SET is not set; export it before `pulumi up`, or set auth.optional: true",
      /bottle:trust\.caFiles\[0\]: "[^"]*no-ca\.pem" cannot be read; give a PEM file, or remove the entry/,
    ));

  test("more CPUs than there are, and a runtime that the engine does not know", () =>
    expectFault({ agent: { image, runtime: "no-runtime", limits: { cpus: 4096 } } }, {}, 'bottle:agent.runtime: the engine has no runtime "no-runtime"', "bottle:agent.limits.cpus: is 4096, but the engine has"));

  test("an engine that does not answer", () =>
    expectFaults({ agent: { image } }, { DOCKER_HOST: "unix:///nowhere/docker.sock" }, "fails", [/Docker engine unix:\/\/\/nowhere\/docker\.sock: does not answer \(.*\); start it, or let `npm start` do it/]));

  test("an engine on another machine", () =>
    expectFaults({ agent: { image } }, { DOCKER_HOST: "tcp://203.0.113.1:2375" }, "fails", ["Docker engine tcp://203.0.113.1:2375: is on another machine and cannot mount this one's files"]));

  test("a company proxy", () => expectFault({ agent: { image } }, { HTTPS_PROXY: "http://user:e2e-password@proxy.bottle.test:3128" }, "HTTPS_PROXY is set: going out through a company proxy is not supported"));

  test("a subnet that a Docker network holds: the holder and a free one are named", async () => {
    const name = `${owner}-taken`;
    const { prefix, base } = ownSubnet();
    const subnet = `${prefix}.${base}/26`;
    const taken = `${prefix}.${base + 48}/28`;
    await ok("docker", ["network", "create", ...labelled(owner), "--internal", "--subnet", taken, name]);
    await expectFault({ agent: { image }, network: { subnet } }, {}, `bottle:network.subnet: this bottle's ${subnet} is taken by Docker network ${name} (${taken}); set bottle:network.subnet to a free /26, such as`);
    await expectFault({ agent: { image }, network: { pool: subnet } }, {}, `bottle:network.pool: this bottle's ${subnet} is taken by Docker network ${name} (${taken}); the pool is exhausted`);
  });

  test("a network's name that somebody else holds", async () => {
    const name = `${stack.identity.composeProject}-internal`;
    const id = await ok("docker", ["network", "create", ...labelled(owner), "--internal", "--subnet", `${ownSubnet().prefix}.0/28`, name]);
    await expectFault({ agent: { image } }, {}, `Docker network ${name}: belongs to somebody else (${id.slice(0, 12)}, no label of this bottle); remove it: docker network rm ${name}`);
    await ok("docker", ["network", "inspect", id]); // and it is still there
    await removeLabelled(owner);
  });

  describe("tools that are too old", () => {
    /** A `docker` that answers some commands by itself and passes the others on. */
    function pretend(name: string, cases: string): NodeJS.ProcessEnv {
      const folder = project.path(name);
      mkdirSync(folder);
      writeFileSync(`${folder}/docker`, `#!/bin/sh\ncase "$1 $2" in\n${cases}\nesac\nPATH="\${PATH#*:}"\nexec docker "$@"\n`);
      chmodSync(`${folder}/docker`, 0o755);
      return { PATH: `${folder}:${project.env["PATH"]}` };
    }

    test("the engine", () =>
      expectFault({ agent: { image } }, pretend("old-engine", `"info "*) PATH="\${PATH#*:}"; docker "$@" | sed 's/"ServerVersion":"[^"]*"/"ServerVersion":"26.1.5"/'; exit;;`), "Docker engine 26.1.5: is too old to cut a network off from its host; 28.0.0 or newer is needed"));

    test("Compose", () => expectFault({ agent: { image } }, pretend("old-compose", `"compose version") echo 2.20.1; exit;;`), "Docker Compose 2.20.1: is too old; 2.24.0 or newer is needed"));

    test("Compose that is not there", () => expectFault({ agent: { image } }, pretend("no-compose", `"compose version") exit 1;;`), "Docker Compose: the plugin is not there"));
  });

  test("faults of the manifest fail the preview already", async () => {
    stack.write({ agent: { image, colour: "red" }, network: { hosts: ["*.com", "https://x.bottle.test"] } });
    const { code, output } = await stack.pulumi("preview");
    expect(code).not.toBe(0);
    expect(output).toContain("the manifest (stack config) has 3 faults:");
    expect(output).toContain('bottle:agent: unknown key "colour"; known here: preset, image, build');
    expect(output).toContain('bottle:network.hosts[0]: "*.com" is over-broad');
    expect(output).toContain('bottle:network.hosts[1]: "https://x.bottle.test" has a scheme; write only the host: "x.bottle.test"');
    expect(output).not.toMatch(/^\s+at .*\.ts:\d+/m); // an error for people, not a stack trace
  });

  test("a stack whose name comes to the same slug as a living one's", async () => {
    stack.write({ agent: { image } });
    await stack.up();
    const twin = await project.stack("Bad", { agent: { image } });
    const { code, output } = await twin.pulumi("up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toContain('stack name "Bad": its slug "bad" is taken by stack "bad" (state/bad)');
    expect(await engineObjects(twin.identity.instance)).toEqual([]);
    await stack.destroy();
  });

  test("after all that a good manifest comes up", async () => {
    stack.write({ agent: { image } });
    expect((await stack.up()).code).toBe(0);
  });
});
