// The package as npm publishes it: packed, put into a project of somebody else's, and used from there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextHash } from "../../components/images/context-hash.ts";
import { buildContexts } from "../../components/images/plan.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { installOffline, pack, packageName, remove, teamProject } from "../lib/consumer.ts";
import { ok, run } from "../lib/run.ts";
import { identity, manifestOf } from "./fixtures.ts";

describe("the package", () => {
  let packed: Awaited<ReturnType<typeof pack>>;
  let project: string;
  const inside = (...parts: string[]) => join(project, "node_modules", packageName, ...parts);
  const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { name: string; license: string; version: string };

  beforeAll(async () => {
    packed = await pack();
    project = teamProject();
    await installOffline(project, packed.tarball);
  }, 300_000);
  afterAll(() => remove(packed?.folder, project));

  it("holds what is built, described and licensed, and neither sources nor tests of ours", () => {
    expect(manifest).toMatchObject({ name: packageName, license: "Apache-2.0" });
    expect(manifest).not.toHaveProperty("private");
    expect(packed.files).toEqual(expect.arrayContaining(["LICENSE", "README.md", "bottle.schema.json", "docs/manifest.md", "dist/components/index.js", "dist/components/index.d.ts", "dist/policies/PulumiPolicy.yaml", "dist/policies/index.js", "dist/policies/pack.js"]));
    const odd = packed.files.filter((path) => /(^|\/)(node_modules|state|test|__pycache__|\.bottle)\//.test(path) || (/\.ts$/.test(path) && !/\.d\.ts$|\/image\/|\/shared-modules\//.test(path)));
    expect(readFileSync(inside("dist/policies/index.js"), "utf8")).toMatch(/^import "\.\/pack\.js";$/m);
    expect(odd).toEqual([]);
  });

  it("is type-checked by those who use it, and shows them its documentation", async () => {
    const checked = await run(process.execPath, [join(projectRoot, "node_modules/typescript/bin/tsc"), "--project", project, "--typeRoots", join(projectRoot, "node_modules/@types")], { cwd: project, timeout: 120_000 });
    expect(checked.stdout + checked.stderr).toBe("");
    expect(checked.code).toBe(0);
    expect(readFileSync(inside("dist/components/bottle.d.ts"), "utf8")).toContain("One coding agent in a container whose only way out is the proxy chain.");
    expect(readFileSync(inside("dist/components/stack.d.ts"), "utf8")).toMatch(/Faults of the manifest fail preview already/);
  }, 180_000);

  it("knows a wrong use by its types", async () => {
    const wrong = join(project, "wrong.ts");
    await ok("sh", ["-c", `printf '%s\\n' 'import { Bottle } from "${packageName}";' 'new Bottle("a", { manifest: 1 });' > "$0"`, wrong]);
    const { stdout } = await run(process.execPath, [join(projectRoot, "node_modules/typescript/bin/tsc"), "--noEmit", "--module", "nodenext", "--skipLibCheck", wrong], { cwd: project, timeout: 120_000 });
    remove(wrong);
    expect(stdout).toMatch(/wrong\.ts\(2,19\): error TS2322: Type 'number' is not assignable to type 'Manifest'/);
  }, 180_000);

  it("is imported by Node, with the dependencies that it declares alone", async () => {
    const names = await ok(process.execPath, ["--input-type=module", "--eval", `console.log(Object.keys(await import("${packageName}")).sort().join())`], { cwd: project });
    expect(names).toBe("Bottle,ManifestError,readManifest,readStack");
  }, 60_000);

  it("holds the images' build contexts as a clone has them: its images carry the same tags", () => {
    const names = readdirSync(join(projectRoot, "components")).filter((name) => existsSync(join(projectRoot, "components", name, "image")));
    expect(names).toEqual(expect.arrayContaining(["agent", "egress"]));
    for (const name of names) {
      expect(contextHash(inside("dist/components", name, "image"), {}), name).toBe(contextHash(join(projectRoot, "components", name, "image"), {}));
    }
  });

  it("builds supervise from the same modules", async () => {
    const script = `import { buildContexts } from ${JSON.stringify(inside("dist/components/images/plan.js"))}; console.log(JSON.stringify(buildContexts("supervise")));`;
    const { contexts, hash } = JSON.parse(await ok(process.execPath, ["--input-type=module", "--eval", script])) as ReturnType<typeof buildContexts>;
    expect(hash).toBe(buildContexts("supervise").hash);
    expect(readdirSync(contexts!["components"]!).sort()).toEqual(["manifest", "subnets.ts", "supervise"]);
  }, 60_000);

  it("finds the contexts by its own place", async () => {
    const script = `import { agentImage, egressImage } from ${JSON.stringify(inside("dist/components/images/plan.js"))};
      const input = JSON.parse(process.env.INPUT);
      console.log(JSON.stringify([agentImage(input), egressImage(input)].map(({ build }) => build.context)));`;
    const input = { manifest: manifestOf({}), identity, project: "/srv/project", trust: [] };
    const found = await ok(process.execPath, ["--input-type=module", "--eval", script], { env: { ...process.env, INPUT: JSON.stringify(input) } });
    expect(JSON.parse(found)).toEqual([inside("dist/components/agent/image"), inside("dist/components/egress/image")]);
  }, 60_000);

  it("runs its scripts as JavaScript that is there", async () => {
    const script = `import { nodeScript } from ${JSON.stringify(inside("dist/components/script.js"))};
      console.log(nodeScript("./ensure", ${JSON.stringify(`file://${inside("dist/components/images/image.js")}`)}));`;
    const line = await ok(process.execPath, ["--input-type=module", "--eval", script]);
    expect(line).toBe(`exec node --disable-warning=ExperimentalWarning '${inside("dist/components/images/ensure.js")}'`);
    const { code, stderr } = await run("/bin/sh", ["-c", line], { input: JSON.stringify({ image: "x:1" }), env: { PATH: dirname(process.execPath) } });
    expect(stderr).toMatch(/image x:1: is not in the engine's store and cannot be pulled/);
    expect(code).toBe(1);
  }, 60_000);

  it("brings bottle-preview, which says how it is used", async () => {
    const { code, stderr } = await run(process.execPath, [inside("dist/scripts/preview/bin.js"), "--nonsense"], { cwd: project });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^bottle-preview: Unknown option '--nonsense'[\s\S]*usage: bottle-preview/);
  }, 60_000);

  it("is at the version that examples/team asks for, with the same Pulumi", () => {
    const team = JSON.parse(readFileSync(join(projectRoot, "examples/team/package.json"), "utf8")) as { dependencies: object; devDependencies: Record<string, string> };
    const { devDependencies } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { devDependencies: Record<string, string> };
    expect(team.dependencies).toEqual({ [packageName]: manifest.version });
    for (const [name, version] of Object.entries(team.devDependencies)) expect(devDependencies[name], name).toBe(version);
  });
});
