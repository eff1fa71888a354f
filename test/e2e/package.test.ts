// A bottle made from the published package, in a project of somebody else's.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { identify } from "../../components/identity.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { install, pack, packageName, remove, teamProject } from "../lib/consumer.ts";
import { containers, engineObjects, execIn, removeObjects } from "../lib/e2e-engine.ts";
import { changeCounts, cleanEnvironment, startPulumi, type PulumiResult } from "../lib/e2e-pulumi.ts";
import { describeWith } from "../lib/parts.ts";
import { run } from "../lib/run.ts";

/** examples/ of this checkout, and the manifest that comes with examples/team. */
const manifests = ["examples/implementer.yaml", "Pulumi.reviewer.yaml"];

describeWith(["engine", "base", "pipelock", "pulumi"], "a bottle from the package", () => {
  let packed: Awaited<ReturnType<typeof pack>>;
  let project: string;
  let env: NodeJS.ProcessEnv;
  const bin = () => join(project, "node_modules/.bin/bottle-preview");
  const identity = () => identify(`file://${project}/backend`, "organization", "bottles", "small");
  const pulumi = (...args: string[]): Promise<PulumiResult> => startPulumi([...args, "--stack", "small"], { cwd: project, env, timeout: 600_000 }).done;
  const succeed = async (...args: string[]): Promise<PulumiResult> => {
    const result = await pulumi(...args);
    expect(result.code, result.output).toBe(0);
    return result;
  };

  beforeAll(async () => {
    packed = await pack();
    project = teamProject();
    await install(project, packed.tarball);
    mkdirSync(join(project, "backend"));
    mkdirSync(join(project, "examples/prompts"), { recursive: true });
    for (const file of ["examples/implementer.yaml", "examples/prompts/implementer.md"]) writeFileSync(join(project, file), readFileSync(join(projectRoot, file)));
    env = { ...(await cleanEnvironment()), PULUMI_BACKEND_URL: `file://${project}/backend`, PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString("hex") };
  });
  afterAll(async () => {
    if (!project) return;
    const { output, code } = existsSync(join(project, "backend/.pulumi/stacks/bottles/small.json")) ? await pulumi("destroy", "--yes", "--skip-preview") : { output: "", code: 0 };
    await removeObjects(identity().instance);
    remove(packed.folder, project);
    expect(code, output).toBe(0);
  });

  test.each(manifests)("bottle-preview passes %s, needs no token and leaves the project as it was", async (manifest) => {
    const before = readFileSync(join(project, manifest), "utf8");
    const summary = join(project, "summary.md");
    const { PULUMI_CONFIG_PASSPHRASE: _text, PULUMI_BACKEND_URL: _url, ...without } = env;
    const { code, stdout, stderr } = await run(bin(), ["--summary", summary, manifest], { cwd: project, env: without, timeout: 300_000 });
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/^Policies:\n +\S+ bottle@v/m);
    expect(readFileSync(summary, "utf8")).toMatch(/\| passed \| \d+ to create \|/);
    expect(readFileSync(join(project, manifest), "utf8")).toBe(before);
    expect(existsSync(join(project, "state"))).toBe(false);
    remove(summary);
  });

  test.each([
    ["a fault, and says which", "{imge: x}", /bottle:agent.*imge/],
    ["what the policy pack refuses", "{image: 'debian:trixie-slim', filesystem: writable, user: 0}", /\[mandatory\].*non-root/],
  ])("bottle-preview fails a manifest with %s", async (_, agent, said) => {
    writeFileSync(join(project, "Pulumi.wrong.yaml"), `config:\n  bottle:agent: ${agent}\n`);
    const { code, stdout } = await run(bin(), ["Pulumi.wrong.yaml"], { cwd: project, env, timeout: 300_000 });
    remove(join(project, "Pulumi.wrong.yaml"));
    expect(stdout).toMatch(said);
    expect(code).toBe(1);
  });

  test("up makes it: scripts run from dist, its images are a clone's, its files lie in the project", async () => {
    const { paths } = trustFiles(undefined, project);
    const config = { "bottle:agent": { image: "debian:trixie-slim" }, "bottle:network": { routes: [{ host: "a.bottle.test" }] }, "bottle:trust": { caFiles: paths } };
    writeFileSync(join(project, "Pulumi.small.yaml"), stringify({ config }));
    await succeed("stack", "init");
    await succeed("up", "--yes", "--skip-preview");
    const up = await containers(identity().instance);
    expect(Object.keys(up).sort()).toEqual(["agent", "egress", "pipelock"]);
    expect(up["egress"]).toMatchObject({ running: true, health: "healthy" });
    expect(existsSync(join(project, "state/small/metadata.json"))).toBe(true);
    expect(existsSync(join(project, "node_modules", packageName, "state"))).toBe(false);
    const { code, stdout } = await execIn(up["agent"]!.name, "id -u && env | grep -c -i ^https_proxy=");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "1000\n2\n" });
  });

  test("a second preview changes nothing", async () => {
    const { output } = await succeed("preview", "--expect-no-changes");
    expect(changeCounts(output)).toEqual({ unchanged: expect.any(Number) });
  });

  test("destroy takes it away", async () => {
    await succeed("destroy", "--yes", "--skip-preview");
    expect(await engineObjects(identity().instance)).toEqual([]);
  });
});
