// npm run sbom [-- --output DIR] [IMAGE…]: what is in the package and in each image of a default bottle, as CycloneDX
// 1.6 JSON. The images' own files are read, nothing is downloaded for it and nothing of them is run.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureImage } from "../components/images/ensure.ts";
import { agentImage, egressImage, gitGateImage, pipelockImage, superviseImage } from "../components/images/plan.ts";
import { trustFiles } from "../components/machine/trust.ts";
import { readManifest } from "../components/manifest/manifest.ts";
import { cycloneDx } from "./sbom/cyclonedx.ts";
import { readComponents } from "./sbom/components.ts";
import { withFiles } from "./sbom/filesystem.ts";
import { run } from "./setup/exec.ts";
import { parts } from "./setup/parts.ts";
import { projectRoot } from "./setup/project.ts";
import { ensureParts } from "./setup/report.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { output: { type: "string", default: "sbom" } } });
const output = resolve(projectRoot, values.output);
const tool = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { name: string; version: string };

if (!(await ensureParts([parts.docker, ...(positionals.length === 0 ? [parts["base-image"]] : [])], { quiet: true }))) process.exit(1);
mkdirSync(output, { recursive: true });
if (positionals.length === 0) {
  write(tool.name, await npmPackage());
  for (const [name, image] of Object.entries(await ourImages())) write(name, await imageSbom(image));
} else {
  for (const image of positionals) write(image.replace(/[^\w.-]+/g, "_"), await imageSbom(image));
}

/** Those of a manifest that says nothing, built or pulled where they are not there. */
async function ourImages(): Promise<Record<string, string>> {
  const manifest = readManifest({});
  const input = { manifest, project: projectRoot, trust: trustFiles(undefined, projectRoot).paths, identity: { composeProject: "", stack: "", project: "", slug: "", instance: "", labels: { "bottle.project": "", "bottle.stack": "", "bottle.instance": "" } } };
  const requests = { "agent-claude": agentImage(input), egress: egressImage(input), "git-gate": gitGateImage(input, { uid: 1000, gid: 1000 }), supervise: superviseImage(input), pipelock: pipelockImage(input) };
  for (const request of Object.values(requests)) await ensureImage(request);
  return Object.fromEntries(Object.entries(requests).map(([name, { image }]) => [name, image]));
}

async function imageSbom(image: string): Promise<object> {
  const { code, stdout, stderr } = await run("docker", ["image", "inspect", "--format", "{{json .}}", image]);
  if (code !== 0) throw new Error(`${image}: ${stderr.trim()}`);
  const { Id: id, Created: created } = JSON.parse(stdout) as { Id: string; Created: string };
  return cycloneDx({ image, id, created }, await withFiles(image, readComponents), tool);
}

/** npm's own, from the lock file. */
async function npmPackage(): Promise<object> {
  const { code, stdout, stderr } = await run("npm", ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--package-lock-only"], { cwd: projectRoot });
  if (code !== 0) throw new Error(`npm sbom: ${stderr.trim()}`);
  return JSON.parse(stdout) as object;
}

function write(name: string, document: object): void {
  const file = join(output, `${name}.cdx.json`);
  writeFileSync(file, `${JSON.stringify(document, null, 1)}\n`);
  console.log(`${file}: ${(document as { components: object[] }).components.length} components`);
}
