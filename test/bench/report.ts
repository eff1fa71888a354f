// The tables, for people and for programs.
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { verdict, type Figure, type Table, type Unit } from "./figures.ts";
import { attempt } from "./processes.ts";

export interface Report {
  readonly made: string;
  readonly mode: "quick" | "full";
  /** What it ran on: figures mean little elsewhere. */
  readonly machine: Readonly<Record<string, string>>;
  readonly remarks: readonly string[];
  readonly tables: readonly Table[];
}

export async function machine(env: NodeJS.ProcessEnv): Promise<Record<string, string>> {
  const say = async (program: string, ...args: string[]) => (await attempt(program, args, { env, cwd: import.meta.dirname })).stdout.trim();
  return {
    cpu: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown"}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    kernel: release(),
    load: `${loadavg()[0]!.toFixed(2)} (one minute, before the start)`,
    docker: await say("docker", "version", "--format", "{{.Server.Version}}"),
    compose: await say("docker", "compose", "version", "--short"),
    pulumi: await say("pulumi", "version"),
    node: process.version,
    commit: await say("git", "describe", "--always", "--dirty"),
  };
}

const header = ["what", "measured", "beside", "ratio", "reach", "verdict", "remark"] as const;

/** Rows as text, without the header. */
function rows(figures: readonly Figure[]): string[][] {
  return figures.map((figure) => {
    const { what, unit, value, beside, target, note } = figure;
    return [
      what,
      value === undefined ? "–" : amount(value, unit),
      beside === undefined ? "" : `${beside.name} ${amount(beside.value, unit)}`,
      beside === undefined || value === undefined || beside.value === 0 ? "" : `× ${ratio(value / beside.value)}`,
      target === undefined ? "" : `${target.sense === "at most" ? "≤" : "≥"} ${amount(target.bound, unit)} (${target.from})`,
      verdict(figure),
      note ?? "",
    ];
  });
}

function amount(value: number, unit: Unit): string {
  if (unit === "count") return String(value);
  const digits = unit === "s" ? 2 : value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}

function ratio(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Aligned for a terminal. */
export function renderText({ title, remarks, figures }: Table): string {
  const all = [[...header], ...rows(figures)];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd());
  return [title, ...remarks.map((remark) => `  ${remark}`), ...lines.map((line) => `  ${line}`), ""].join("\n");
}

export function renderMarkdown(report: Report): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|").replace(/\s+/g, " ");
  const table = ({ title, remarks, figures }: Table): string[] => [
    `## ${title}`,
    ...(remarks.length > 0 ? ["", ...remarks] : []),
    "",
    `| ${header.join(" | ")} |`,
    `|${header.map(() => "---").join("|")}|`,
    ...rows(figures).map((row) => `| ${row.map(cell).join(" | ")} |`),
    "",
  ];
  return [
    `# Bench of ${report.made} (${report.mode})`,
    "",
    ...Object.entries(report.machine).map(([what, value]) => `- ${what}: ${value}`),
    "",
    ...report.remarks,
    "",
    ...report.tables.flatMap(table),
    summary(report),
    "",
  ].join("\n");
}

/** How many targets were reached, and which were not. */
export function summary({ tables }: Report): string {
  const aimed = tables.flatMap(({ title, figures }) => figures.filter(({ target }) => target).map((figure) => ({ title, figure })));
  const missed = aimed.filter(({ figure }) => verdict(figure) !== "reached");
  const lines = missed.map(({ title, figure }) => `- ${verdict(figure)}: ${figure.what} (${title})`);
  return [`${aimed.length - missed.length} of ${aimed.length} targets reached.`, ...lines].join("\n");
}

/** Writes JSON and Markdown. @returns the paths */
export function write(report: Report, folder = join(import.meta.dirname, "results")): string[] {
  mkdirSync(folder, { recursive: true });
  const base = join(folder, report.made.replace(/[:.]/g, "-"));
  const withVerdicts = { ...report, tables: report.tables.map((table) => ({ ...table, figures: table.figures.map((figure) => ({ ...figure, verdict: verdict(figure) })) })) };
  writeFileSync(`${base}.json`, `${JSON.stringify(withVerdicts, null, 2)}\n`);
  writeFileSync(`${base}.md`, renderMarkdown(report));
  return [`${base}.md`, `${base}.json`];
}
