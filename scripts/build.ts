// npm run build: writes dist/, what the npm package holds. Components and policies as JavaScript with declarations,
// and beside them what they find by their own place: the images' build contexts and the modules that go into them, the policy pack's own files.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SHARED_MODULES, sharedModules } from "../components/images/plan.ts";
import { projectRoot } from "./setup/project.ts";

const dist = join(projectRoot, "dist");

rmSync(dist, { recursive: true, force: true });
compile();
for (const context of imageContexts()) copy(context);
for (const module of Object.values(sharedModules).flat()) copyModule(module);
for (const file of ["PulumiPolicy.yaml", "package.json", "index.js"]) copyPolicyFile(file);

function compile(): void {
  const tsc = join(projectRoot, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "--project", "tsconfig.build.json", "--pretty", "false"], { cwd: projectRoot, stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(1);
}

function imageContexts(): string[] {
  return readdirSync(join(projectRoot, "components"))
    .map((name) => `components/${name}/image`)
    .filter((path) => existsSync(join(projectRoot, path)));
}

/** Whole, tests too: an image's tag is the hash of its context, and the package and a clone share their images. */
function copy(path: string): void {
  const leftBehind = ["__pycache__", ".pytest_cache", ".venv", "node_modules"];
  cpSync(join(projectRoot, path), join(dist, path), { recursive: true, filter: (source) => !leftBehind.includes(basename(source)) });
}

/** As it is, TypeScript: image builds read it. */
function copyModule(path: string): void {
  const target = join(dist, "components", SHARED_MODULES, path);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(join(projectRoot, "components", path), target, { recursive: true });
}

/** The pack's entry is JavaScript already, but names a TypeScript file. */
function copyPolicyFile(name: string): void {
  const source = join(projectRoot, "policies", name);
  if (!existsSync(source)) return;
  const target = join(dist, "policies", name);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, readFileSync(source, "utf8").replace(/(from |import )"(\.[^"]*)\.ts"/g, '$1"$2.js"'));
}
