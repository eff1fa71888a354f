import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { contextHash } from "../../components/images/context-hash.ts";
import { buildContexts } from "../../components/images/plan.ts";
import { ensureImage } from "../../components/images/ensure.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { BASE_IMAGE } from "../../components/manifest/schema.ts";
import { readDockerState, shortcomings } from "../setup/docker-state.ts";
import { run, runAttached } from "../setup/exec.ts";
import { projectRoot } from "../setup/project.ts";
import { sum, tallyJUnit, type Tally } from "./report.ts";

/** The images that bring their own tests: those whose Dockerfile has a stage `test`, which runs them and writes a JUnit report to $JUNIT. */
export function testedImages(components = join(projectRoot, "components")): string[] {
  return readdirSync(components).filter((name) => {
    const file = join(components, name, "image/Dockerfile");
    return existsSync(file) && /^FROM\s.*\sAS\s+test\s*$/im.test(readFileSync(file, "utf8"));
  });
}

/**
 * Builds each image's `test` stage and runs it, as its own user and without a network.
 * @param reports folder for their reports
 */
export async function testImages(reports: string): Promise<Tally> {
  const names = testedImages();
  const lacking = await missingParts();
  if (lacking) return { passed: 0, failed: 0, skipped: names.map((name) => `components/${name}/image: its own tests [skipped: ${lacking}]`) };
  const tallies: Tally[] = [];
  for (const name of names) tallies.push(await testImage(name, reports));
  return sum(tallies);
}

async function missingParts(): Promise<string> {
  const engine = shortcomings(await readDockerState()).join("; ");
  if (engine) return engine;
  const { code } = await run("docker", ["image", "inspect", "--format", "{{.Id}}", BASE_IMAGE], { timeout: 20_000 });
  return code === 0 ? "" : `the image ${BASE_IMAGE} is not in the engine's store`;
}

async function testImage(name: string, reports: string): Promise<Tally> {
  console.log(`\nTests of components/${name}/image`);
  const context = join(projectRoot, "components", name, "image");
  const args = { BASE: BASE_IMAGE };
  const { contexts, hash } = buildContexts(name);
  const image = `bottle-test-${name}:${contextHash(context, hash === undefined ? args : { ...args, hash })}`;
  const trust = trustFiles(undefined, projectRoot).paths;
  try {
    await ensureImage({ image, build: { context, target: "test", args, labels: { "bottle.project": "bottle", "bottle.test": "1" }, contexts, trust } });
  } catch (error) {
    console.log(String((error as Error).message));
    return { passed: 0, failed: 1, skipped: [] };
  }
  await removeOthers(image);
  const folder = join(reports, name);
  mkdirSync(folder);
  chmodSync(folder, 0o777); // the image's own user writes into it
  const container = ["--rm", "--network", "none", "--label", "bottle.test=1", "--volume", `${folder}:/report`];
  const report = ["--env", "JUNIT=/report/junit.xml"];
  const code = await runAttached("docker", ["run", ...container, ...report, image]);
  const junit = join(folder, "junit.xml");
  const tally = existsSync(junit) ? tallyJUnit(readFileSync(junit, "utf8")) : { passed: 0, failed: 1, skipped: [] };
  return code !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
}

/** Test images of earlier contexts; the build cache holds what they share with this one. */
async function removeOthers(image: string): Promise<void> {
  const [repository] = image.split(":");
  const { stdout } = await run("docker", ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "label=bottle.test=1", repository!]);
  const others = stdout.split("\n").filter((each) => each && each !== image);
  if (others.length > 0) await run("docker", ["image", "rm", ...others]);
}
