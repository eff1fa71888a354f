// What a pull request shows of its previews: GitHub-flavoured Markdown. Pure.

export interface Preview {
  readonly stack: string;
  readonly file: string;
  /** Exit code of `pulumi preview`; not 0 also where a mandatory policy is violated. */
  readonly code: number;
  readonly output: string;
  /** Paths of secrets for which a placeholder stood in. */
  readonly secrets: readonly string[];
}

/** A job's summary takes 1 MiB; what people want to read of a long preview stands at its end. */
const OUTPUT_MAX = 60_000;

/** @param packs the policy packs that looked on, by folder. */
export function summary(previews: readonly Preview[], packs: readonly string[]): string {
  const rows = previews.map(({ stack, file, code, output }) => `| ${cell(stack)} | ${cell(file)} | ${code === 0 ? "passed" : "**failed**"} | ${cell(counts(output))} |`);
  return [
    "## Preview of the bottles",
    "",
    `As new stacks, on this machine alone. Policy packs: ${packs.length === 0 ? "none" : packs.map((pack) => code(pack)).join(", ")}.`,
    "",
    "| stack | manifest | | would |",
    "|---|---|---|---|",
    ...rows,
    ...previews.flatMap((preview) => ["", details(preview)]),
    "",
  ].join("\n");
}

function details({ stack, code: exitCode, output, secrets }: Preview): string {
  const shown = output.length > OUTPUT_MAX ? `… (the beginning is in the job's log)\n${output.slice(-OUTPUT_MAX)}` : output;
  const fence = fenceFor(shown);
  const note = secrets.length === 0 ? [] : [`Placeholders stood in for the secrets ${secrets.map((path) => code(path)).join(", ")}.`, ""];
  return [`<details${exitCode === 0 ? "" : " open"}><summary>${html(stack)}</summary>`, "", ...note, `${fence}text`, shown.trimEnd(), fence, "", "</details>"].join("\n");
}

/** `38 to create`, from the lines that end a preview. */
function counts(output: string): string {
  const end = output.lastIndexOf("\nResources:");
  if (end < 0) return "";
  return [...output.slice(end).matchAll(/^\s+(?:[-+~]+ )?(\d+ (?:to \w+|unchanged))\s*$/gm)].map(([, count]) => count).join(", ");
}

/** No text of a pull request may end its own block: a fence is longer than any run of backticks inside. */
function fenceFor(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  return "`".repeat(longest + 1);
}

function code(text: string): string {
  const fence = "`".repeat(Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length)) + 1);
  return `${fence}${text.replace(/\s+/g, " ")}${fence}`;
}

function cell(text: string): string {
  return html(text).replaceAll("|", "\\|").replace(/\s+/g, " ");
}

function html(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
