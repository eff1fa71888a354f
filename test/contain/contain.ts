// npm run contain [-- --quick] [-- --only CLASS|ID[,…]] [-- --form pulumi|engine|open] [-- --runtime NAME] [-- --record] [-- --list]
//
// Tries to get out of a bottle, in every way that we know, from inside a real agent. Makes bottles of its own and takes
// them away again. Exit code 1: something got out, or the suite could not look.
import { parseArgs } from "node:util";
import { lack } from "../lib/parts.ts";
import type { Attempt } from "./attempt.ts";
import { allAttempts } from "./index.ts";
import type { Form } from "./lab.ts";
import { machine, record, renderControl, renderLine, renderText, sound, write, type Report } from "./report.ts";
import { contain } from "./run.ts";
import { runtimeFault } from "./runtime.ts";
import { setUp } from "./setup.ts";

const GVISOR = "runsc";
const forms: readonly Form[] = ["pulumi", "engine", "open"];

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const options = readOptions();
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    say(stopped ? "still cleaning up" : `\n${signal}: stopping and cleaning up`);
    stopped = true;
  });
}

if (options.list) for (const { id, what } of allAttempts) console.log(`${id}\t${what}`);
else {
  try {
    process.exitCode = await main();
  } catch (error) {
    say(`contain: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

async function main(): Promise<number> {
  const lacking = lack(["engine", "base", "pipelock"]);
  if (lacking !== undefined) throw new Error(`the suite cannot run here: ${lacking}; npm start sets these up`);
  const noPulumi = lack(["pulumi"]);
  const form = options.form ?? (noPulumi === undefined ? "pulumi" : "engine");
  if (form === "engine" && options.form === undefined) say(`${noPulumi}: the bottles are made by Compose from the same files`);
  const reports = [await once(form, options.runtime ?? "runc", options.attempts)];
  if (options.runtime === undefined && form !== "open" && !stopped) {
    const fault = await runtimeFault(GVISOR);
    if (fault === undefined) reports.push(await once(form, GVISOR, options.attempts.filter(({ slow }) => !slow)));
    else reports[0] = { ...reports[0]!, skippedParts: [`gVisor (runtime ${GVISOR}): ${fault}`] };
  }
  for (const report of reports) console.log(`\n${report.runtime}, ${report.form}\n${renderText(report)}`);
  console.log(`\nWritten to ${write(reports).join(" and ")}`);
  if (options.record && !stopped) record(reports);
  return !stopped && reports.every(sound) ? 0 : 1;
}

async function once(form: Form, runtime: string, attempts: readonly Attempt[]): Promise<Report> {
  const made = new Date().toISOString().slice(0, 19);
  const { lab, remove } = await setUp({ form, runtime, say, stopped: () => stopped });
  try {
    const run = await contain(lab, attempts, { stopped: () => stopped, onControl: (control) => say(renderControl(control)), onResult: (result) => say(renderLine(result)) });
    return { made, form, runtime, machine: machine(), ...run, skippedParts: [] };
  } finally {
    say("cleaning up");
    await remove();
  }
}

function readOptions() {
  const usage = (problem: string): never => {
    say(`${problem}\nusage: npm run contain -- [--quick] [--only CLASS|ID,…] [--form ${forms.join("|")}] [--runtime NAME] [--record] [--list]`);
    process.exit(2);
  };
  try {
    const { values } = parseArgs({
      options: { quick: { type: "boolean" }, only: { type: "string" }, form: { type: "string" }, runtime: { type: "string" }, record: { type: "boolean" }, list: { type: "boolean" } },
    });
    if (values.form !== undefined && !forms.includes(values.form as Form)) usage(`--form: "${values.form}" is none of ${forms.join(", ")}`);
    const only = values.only?.split(",");
    const unknown = only?.find((each) => !allAttempts.some(({ id }) => matches(id, each)));
    if (unknown !== undefined) usage(`--only: nothing is called "${unknown}"; --list shows all`);
    const attempts = allAttempts.filter(({ id, slow }) => (only?.some((each) => matches(id, each)) ?? true) && !(values.quick && slow));
    if (values.record && (only !== undefined || values.quick)) usage("--record wants a whole run");
    return { ...values, form: values.form as Form | undefined, attempts };
  } catch (error) {
    return usage((error as Error).message);
  }
}

/** `2`: a class; `2.rebind`: every id that begins so. */
function matches(id: string, wanted: string): boolean {
  return /^\d+$/.test(wanted) ? id.startsWith(`${wanted}.`) : id.startsWith(wanted);
}
