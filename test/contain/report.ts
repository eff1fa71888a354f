// What a run saw, for a terminal, a document and a program.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../../scripts/setup/project.ts";
import { classes, type Attempt, type Class, type Result, type Verdict } from "./attempt.ts";
import type { Form } from "./lab.ts";
import type { Control } from "./run.ts";

export interface Report {
  /** UTC, to the second. */
  readonly made: string;
  readonly form: Form;
  /** OCI runtime of the agents. */
  readonly runtime: string;
  /** What it ran on. */
  readonly machine: Readonly<Record<string, string>>;
  readonly controls: readonly Control[];
  readonly results: readonly Result[];
  /** Whole parts that were not run, by name, with the reason. */
  readonly skippedParts: readonly string[];
}

const verdicts: readonly Verdict[] = ["held", "escaped", "by design", "skipped", "broken"];

export function machine(): Record<string, string> {
  const say = (program: string, ...args: string[]): string => {
    try {
      return execFileSync(program, args, { cwd: projectRoot, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
      return "unknown";
    }
  };
  return {
    commit: say("git", "describe", "--always", "--dirty"),
    Docker: say("docker", "version", "--format", "{{.Server.Version}}"),
    runc: say("docker", "version", "--format", '{{range .Server.Components}}{{if eq .Name "runc"}}{{.Version}}{{end}}{{end}}'),
    kernel: release(),
  };
}

/** Whether a run found no hole, and can be trusted to have looked. */
export function sound({ controls, results }: Pick<Report, "controls" | "results">): boolean {
  return controls.every(({ ok }) => ok) && results.every(({ verdict }) => verdict !== "escaped" && verdict !== "broken") && results.length > 0;
}

/** Counts by class and verdict; a row of totals last. */
export function summary(results: readonly Result[]): { readonly name: string; readonly counts: Readonly<Record<Verdict, number>>; readonly all: number }[] {
  const row = (name: string, of: readonly Result[]) => ({ name, all: of.length, counts: Object.fromEntries(verdicts.map((verdict) => [verdict, of.filter((result) => result.verdict === verdict).length])) as Record<Verdict, number> });
  const rows = (Object.keys(classes) as unknown as Class[]).map((number) => row(`${number} ${classes[number]}`, results.filter(({ attempt }) => attempt.class === Number(number))));
  return [...rows.filter(({ all }) => all > 0), row("all", results)];
}

/** One line for a result as it comes. */
export function renderLine({ attempt, verdict, seen }: Result): string {
  return `${verdict.toUpperCase().padEnd(9)}  ${attempt.id.padEnd(32)}  ${scrub(seen)}`;
}

export function renderControl({ what, ok, seen }: Control): string {
  return `${ok ? "control ok" : "CONTROL FAILED"}: ${what} (${scrub(seen)})`;
}

/** The table for a terminal. */
export function renderText({ controls, results, skippedParts }: Report): string {
  const rows = summary(results).map(({ name, counts, all }) => [name, String(all), ...verdicts.map((verdict) => (counts[verdict] === 0 ? "" : String(counts[verdict])))]);
  const bad = results.filter(({ verdict }) => verdict === "escaped" || verdict === "broken").map(({ attempt, verdict, seen }) => `  ${verdict.toUpperCase()} ${attempt.id}: ${attempt.what}; must ${attempt.must}; seen: ${seen}`);
  return [
    aligned([["class", "attempts", ...verdicts], ...rows]),
    ...controls.filter(({ ok }) => !ok).map(({ what, seen }) => `CONTROL FAILED: ${what}: ${seen}`),
    ...(bad.length > 0 ? ["", ...bad] : []),
    ...results.filter(({ verdict }) => verdict === "skipped").map(({ attempt, seen }) => `skipped ${attempt.id}: ${seen}`),
    ...skippedParts.map((part) => `skipped ${part}`),
  ].join("\n");
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  ")).join("\n");
}

/** Counts as a Markdown table: what docs/threat-model.md shows. */
export function renderSummary(reports: readonly Report[]): string {
  const cells = (row: readonly (string | number)[]): string => `| ${row.join(" | ")} |`;
  return reports
    .map(({ results, runtime, made, machine: { commit, Docker, kernel } }) =>
      [
        `\`${runtime}\`, ${made.slice(0, 10)}, commit ${commit}, Docker ${Docker}, Linux ${kernel}:`,
        "",
        cells(["class", "attempts", ...verdicts]),
        `|---|${"---:|".repeat(verdicts.length + 1)}`,
        ...summary(results).map(({ name, counts, all }) => cells([name, all, ...verdicts.map((verdict) => counts[verdict])])),
      ].join("\n"),
    )
    .join("\n\n");
}

/** The whole record. */
export function renderMarkdown(reports: readonly Report[]): string {
  const cell = (text: string): string => scrub(text).replaceAll("|", "\\|").replace(/\s+/g, " ").replace(/[<>]/g, (char) => (char === "<" ? "&lt;" : "&gt;"));
  const source = ({ source: { name, url } }: Attempt): string => (url === undefined ? name : `[${name}](${url})`);
  const part = ({ form, runtime, controls, results, skippedParts, ...rest }: Report): string[] => [
    `## Runtime \`${runtime}\`, bottle made by ${form === "pulumi" ? "`pulumi up`" : "Compose from the same files"}`,
    "",
    ...Object.entries({ made: rest.made, ...rest.machine }).map(([what, value]) => `- ${what}: ${value}`),
    ...skippedParts.map((each) => `- not run: ${each}`),
    "",
    "What shows that the attempts could have succeeded:",
    "",
    ...controls.map(({ what, ok, seen }) => `- ${what}: ${ok ? "yes" : "**no**"} (${cell(seen)})`),
    "",
    ...(Object.keys(classes) as unknown as Class[]).flatMap((number) => {
      const of = results.filter(({ attempt }) => attempt.class === Number(number));
      if (of.length === 0) return [];
      const rows = of.map(({ attempt, verdict, seen }) => `| \`${attempt.id}\` | ${cell(attempt.what)} | ${source(attempt)} | ${cell(attempt.must)} | ${verdict === "escaped" || verdict === "broken" ? `**${verdict}**` : verdict} | ${cell(seen)} |`);
      return [`### ${number}. ${classes[number]}`, "", "| attempt | what the agent does | idea from | the bottle must | verdict | seen |", "|---|---|---|---|---|---|", ...rows, ""];
    }),
    "### By design",
    "",
    "What gets through, and why:",
    "",
    ...results.filter(({ attempt }) => attempt.byDesign !== undefined).map(({ attempt }) => `- \`${attempt.id}\`: ${attempt.byDesign}`),
    "",
  ];
  return ["# Containment: what was tried, and what was seen", "", "Written by `npm run contain -- --record`; do not edit. [threat-model.md](threat-model.md) says what it means.", "", ...reports.flatMap(part)].join("\n").trimEnd() + "\n";
}

/** Without what differs from run to run: markers, addresses, times. */
export function scrub(text: string): string {
  return text
    .replace(/\b[ck][0-9a-f]{18}/g, "…")
    .replace(/\b10\.\d+\.\d+\.\d+/g, "10.x")
    .replace(/bottle-(contain|plain|e2e)-[\w-]+/g, "bottle-…")
    .replace(/\/tmp\/[\w./-]+/g, "/tmp/…");
}

const results = join(import.meta.dirname, "results");

/** Writes Markdown and JSON beside the suite (not kept in git). @returns their paths */
export function write(reports: readonly Report[]): string[] {
  mkdirSync(results, { recursive: true });
  const base = join(results, reports[0]!.made.replace(/[:.]/g, "-"));
  const plain = reports.map((report) => ({ ...report, results: report.results.map(({ attempt, ...result }) => ({ id: attempt.id, class: attempt.class, what: attempt.what, source: attempt.source, must: attempt.must, byDesign: attempt.byDesign, ...result })) }));
  writeFileSync(`${base}.json`, `${JSON.stringify(plain, null, 2)}\n`);
  writeFileSync(`${base}.md`, renderMarkdown(reports));
  return [`${base}.md`, `${base}.json`];
}

export const recordPath = join(projectRoot, "docs/containment.md");
const threatModel = join(projectRoot, "docs/threat-model.md");
const [open, close] = ["<!-- containment: begin -->", "<!-- containment: end -->"];

/** Writes docs/containment.md, and its counts into docs/threat-model.md. */
export function record(reports: readonly Report[]): void {
  writeFileSync(recordPath, renderMarkdown(reports));
  if (!existsSync(threatModel)) return;
  const text = readFileSync(threatModel, "utf8");
  const [before, rest] = text.split(open) as [string, string?];
  if (rest === undefined) throw new Error(`${threatModel}: the line "${open}" is missing; put it and "${close}" where the counts belong`);
  writeFileSync(threatModel, `${before}${open}\n${renderSummary(reports)}\n${close}${rest.split(close)[1] ?? ""}`);
}
