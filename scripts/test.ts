// npm test [-- [PROJECT…] [FILE-FILTER…] [VITEST-OPTION…]]: type check and all tests, with what they need set up first.
// PROJECT: unit, policy, engine, e2e, images (the tests that images bring along). The last line says how many.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bottleEnvironment } from "./setup/environment.ts";
import { runAttached } from "./setup/exec.ts";
import { testImages } from "./testing/images.ts";
import { parts } from "./setup/parts.ts";
import { projectRoot } from "./setup/project.ts";
import { ensureParts } from "./setup/report.ts";
import { closingLine, sum, type Tally } from "./testing/report.ts";
import { runVitest } from "./testing/vitest.ts";

const projects = ["unit", "policy", "engine", "e2e", "images"];
const asked = process.argv.slice(2).filter((arg) => projects.includes(arg));
const rest = process.argv.slice(2).filter((arg) => !projects.includes(arg));
// With a filter alone, vitest finds the project by itself; images know no filters.
const wanted = asked.length > 0 ? asked : rest.length > 0 ? projects.filter((project) => project !== "images") : projects;

const reports = mkdtempSync(join(tmpdir(), "bottle-test-"));
try {
  await setUp();
  const env = await testEnvironment();
  const tallies: Tally[] = [await typeCheck(env)];
  const vitestProjects = wanted.filter((project) => project !== "images");
  if (wanted.includes("images")) tallies.push(await testImages(reports));
  if (vitestProjects.length > 0) tallies.push(await runVitest(vitestProjects, rest, reports, env));
  finish(sum(tallies));
} finally {
  rmSync(reports, { recursive: true, force: true });
}

/** What cannot be had is told here; the tests that need it are skipped by name. */
async function setUp(): Promise<void> {
  if (!wanted.some((project) => project !== "unit")) return;
  console.log("Set-up for tests on real parts");
  if (await ensureParts([parts.docker])) await ensureParts([parts["base-image"]]);
  if (await ensureParts([parts.pulumi])) await ensureParts([parts.plugins]);
}

/** The tools on PATH. Stacks of tests are in backends of their own, so none of the user's settings get in. */
async function testEnvironment(): Promise<NodeJS.ProcessEnv> {
  const { PULUMI_BACKEND_URL: _url, PULUMI_CONFIG_PASSPHRASE: _text, PULUMI_CONFIG_PASSPHRASE_FILE: _file, ...env } = await bottleEnvironment();
  return env;
}

async function typeCheck(env: NodeJS.ProcessEnv): Promise<Tally> {
  const code = await runAttached(join(projectRoot, "node_modules/.bin/tsc"), ["--noEmit", "--pretty", "false"], { cwd: projectRoot, env });
  console.log(`Type check: ${code === 0 ? "clean" : "failed"}`);
  return { passed: 0, failed: code === 0 ? 0 : 1, skipped: [] };
}

function finish(tally: Tally): void {
  if (tally.skipped.length > 0) console.log(`\nSkipped:\n${tally.skipped.map((name) => `  - ${name}`).join("\n")}`);
  if (tally.passed + tally.failed === 0) console.log("\nNo test ran.");
  process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0;
  console.log(`\n${closingLine(tally)}`);
}
