import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runAttached } from "../setup/exec.ts";
import { projectRoot } from "../setup/project.ts";
import { tallyVitest, type Tally } from "./report.ts";

/**
 * Runs vitest on this terminal and counts its report.
 * @param projects names from vitest.config.ts
 * @param rest file filters and options for vitest
 * @param reports folder for the report
 */
export async function runVitest(projects: readonly string[], rest: readonly string[], reports: string, env: NodeJS.ProcessEnv): Promise<Tally> {
  const report = join(reports, "vitest.json");
  const args = [
    "run",
    ...projects.flatMap((project) => ["--project", project]),
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...rest,
  ];
  const code = await runAttached(join(projectRoot, "node_modules/.bin/vitest"), args, { cwd: projectRoot, env });
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: [] };
  const tally = tallyVitest(readFileSync(report, "utf8"));
  // A fault that the report does not hold, such as a worker that crashed.
  return code !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
}
