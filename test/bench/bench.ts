// npm run bench [-- --quick] [-- --only life|memory|proxy|git|approve[,…]]
//
// A bottle beside bare Docker Compose, an empty Pulumi program and a direct connection, all in one run. Makes a stack of
// its own and takes it away again. A figure that misses its target is no failure: exit code 1 means that measuring failed.
import { measureApproval } from "./approve.ts";
import { measureGit } from "./git.ts";
import { measureLife } from "./life.ts";
import { measureMemory } from "./memory.ts";
import { handleInterrupts, startCleanUp } from "./processes.ts";
import { measureProxy, type Amounts } from "./proxy.ts";
import { machine, renderText, summary, write, type Report } from "./report.ts";
import { Scratch } from "./scratch.ts";
import type { Table } from "./figures.ts";
import { parseArgs } from "node:util";

const phases = ["life", "memory", "proxy", "git", "approve"] as const;
type Phase = (typeof phases)[number];

const full: Amounts = { connections: 100, kept: 400, loadSeconds: 8, streams: 5, posts: 15 };
const quick: Amounts = { connections: 25, kept: 100, loadSeconds: 2, streams: 2, posts: 4 };

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const { isQuick, wanted } = options();
handleInterrupts();
try {
  const report = await bench();
  const paths = write(report);
  for (const table of report.tables) console.log(renderText(table));
  for (const remark of report.remarks) console.log(remark);
  console.log(`\n${summary(report)}\n\nWritten to ${paths.join(" and ")}`);
} catch (error) {
  say(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}

async function bench(): Promise<Report> {
  const scratch = await Scratch.make();
  try {
    const about = await machine(scratch.env);
    say("first up: images are brought where they are not there");
    await scratch.pulumi("up", "--yes", "--skip-preview");
    const tables: Table[] = [];
    if (wanted.has("life")) tables.push(await measureLife(scratch, isQuick ? 1 : 3, say));
    if (wanted.has("memory")) tables.push(await measureMemory(scratch, say));
    if (wanted.has("git")) tables.push(await measureGit(isQuick ? 1 : 5, scratch.owner, say));
    if (wanted.has("approve")) tables.push(await measureApproval(isQuick ? 1 : 5, isQuick ? 3 : 10, say));
    if (wanted.has("proxy")) tables.push(...(await measureProxy(scratch, isQuick ? quick : full, say)));
    return { made: new Date().toISOString().slice(0, 19), mode: isQuick ? "quick" : "full", machine: about, remarks: remarks(about), tables };
  } finally {
    say("cleaning up");
    startCleanUp();
    await scratch.remove();
  }
}

function remarks(about: Readonly<Record<string, string>>): string[] {
  if (!wanted.has("proxy")) return [];
  return [
    `Client, upstream and sidecars share this machine's CPUs (${about["cpu"]}): with few of them the client's and the upstream's own work is in every figure, most of all in requests/s. Differences below × 1.5 mean nothing.`,
    "Targets from DESIGN.md §6 were measured on another machine of 2 cores: where this one is slower, look at the ratio to direct.",
  ];
}

function options(): { isQuick: boolean; wanted: ReadonlySet<Phase> } {
  try {
    const { values } = parseArgs({ options: { quick: { type: "boolean", default: false }, only: { type: "string", default: phases.join(",") } } });
    const names = values.only.split(",");
    const unknown = names.find((name) => !(phases as readonly string[]).includes(name));
    if (unknown !== undefined) throw new Error(`--only: "${unknown}" is none of ${phases.join(", ")}`);
    return { isQuick: values.quick, wanted: new Set(names as Phase[]) };
  } catch (error) {
    say(`${(error as Error).message}\nusage: npm run bench -- [--quick] [--only ${phases.join("|")}]`);
    process.exit(2);
  }
}
