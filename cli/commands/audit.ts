import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { evidenceStopped } from "../../components/pipelock/evidence.ts";
import { stateFolderAt } from "../../components/state-folder.ts";
import { anchor, anchorsOf } from "../audit/log.ts";
import { verify, verifyAnchors, type Verified } from "../audit/verify.ts";
import { engineBottles } from "../fleet/engine.ts";
import { findProject, stateRoot, type Project } from "../project.ts";
import { green, red, table } from "../terminal.ts";
import { UserError } from "../user-error.ts";

export function register(program: Command): void {
  const audit = program.command("audit").description("what is kept of decisions, requests to hosts and pushes");
  audit
    .command("verify")
    .description("check every chained file and every anchor; exit code 1 where something does not fit")
    .argument("[stack]", "one bottle, also one that is gone")
    .action((stack: string | undefined, _options: object, command: Command) => verifyAll(command, stack));
}

async function verifyAll(command: Command, stack: string | undefined): Promise<void> {
  const project = await findProject(command);
  const roots = stack === undefined ? bottles(project) : [stateRoot(project, stack)];
  if (stack !== undefined && !existsSync(roots[0]!) && anchorsOf(roots[0]!).length === 0) throw new UserError(`${roots[0]}: nothing is kept of a bottle ${stack}`);
  let broken = false;
  const rows: string[][] = [];
  const findings: string[] = [];
  const add = (name: string, results: readonly Verified[]): void => {
    for (const { file, lines, verdict, findings: found } of results) {
      const bad = verdict === "broken" || verdict === "missing";
      broken ||= bad;
      rows.push([name, file, String(lines), bad ? red(verdict) : verdict === "whole" ? green(verdict) : verdict]);
      findings.push(...found);
    }
  };
  for (const root of roots) {
    const results = verify(root);
    add(root.split("/").at(-1)!, results);
    // A rewritten file is not to become the new truth.
    if (results.some(({ lines }) => lines > 0) && results.every(({ verdict }) => verdict !== "broken" && verdict !== "missing")) anchor(root);
  }
  add("-", [verifyAnchors()]);
  findings.push(...(await silentPipelocks(roots, project.env)));
  process.stdout.write(`${table(["BOTTLE", "FILE", "LINES", "VERDICT"], rows)}\n${findings.map((line) => `  - ${line}\n`).join("")}`);
  if (broken) process.exitCode = 1;
}

/** Running bottles whose pipelock records nothing; none where no engine answers. */
async function silentPipelocks(roots: readonly string[], env: NodeJS.ProcessEnv): Promise<string[]> {
  const bottles = await engineBottles(env).catch(() => []);
  return bottles.flatMap(({ stack, folder, containers }) => {
    const pipelock = containers.find(({ service, running }) => service === "pipelock" && running);
    if (pipelock === undefined || folder === undefined || !roots.includes(folder)) return [];
    const why = evidenceStopped(stateFolderAt(folder).pipelock.evidence, pipelock.startedAt);
    return why === undefined ? [] : [`${folder}: pipelock records nothing: ${why}; bottle up ${stack} mends it`];
  });
}

/** Every bottle of which something is kept. */
function bottles(project: Project): string[] {
  const folder = join(project.folder, "state");
  return existsSync(folder) ? readdirSync(folder).sort().map((name) => join(folder, name)) : [];
}
