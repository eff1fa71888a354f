// From a human's approval to the rule in force, and many bottles against one; both by the command `bottle`.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ask, bottle } from "../lib/e2e-cli.ts";
import { scratchProject, type ScratchProject } from "../lib/e2e-project.ts";
import { median, type Figure, type Table } from "./figures.ts";

const agent = { image: "debian:trixie-slim" };

/** @param rounds approvals, @param many bottles side by side */
export async function measureApproval(rounds: number, many: number, say: (line: string) => void): Promise<Table> {
  const project = await scratchProject();
  try {
    const figures = [...(await approvals(project, rounds, say)), ...(await fleet(project, many, say))];
    return { title: "Approvals and fleet, by the command bottle", remarks: ["In force: when every sidecar concerned has said so itself.", `Bottles of agent and pipelock, ${many} of them brought up and down by one command, side by side.`], figures };
  } finally {
    await project.dispose();
  }
}

async function approvals(project: ScratchProject, rounds: number, say: (line: string) => void): Promise<Figure[]> {
  const stack = await project.stack("bench", { agent, network: { routes: [{ host: "first.bottle-bench.test" }] } });
  await must(project, "up", "bench");
  const inForce: number[] = [];
  const whole: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    say(`approval ${round} of ${rounds}`);
    const id = ask(stack, "host", { host: `new-${round}.bottle-bench.test` });
    whole.push(await must(project, "approve", id, "--yes"));
    const lines = readFileSync(join(stack.state, "audit.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as { kind: string; milliseconds?: number });
    inForce.push(lines.findLast(({ kind }) => kind === "approved")!.milliseconds! / 1000);
  }
  await must(project, "down", "bench", "--yes");
  return [
    { what: "approval → in force (a host; both sidecars reload)", unit: "s", value: median(inForce), samples: inForce, target: { bound: 6, sense: "at most", from: "issue 5" } },
    { what: "bottle approve --yes, with its two previews", unit: "s", value: median(whole), samples: whole },
  ];
}

async function fleet(project: ScratchProject, many: number, say: (line: string) => void): Promise<Figure[]> {
  const names = Array.from({ length: many }, (_, index) => `many-${index}`);
  for (const name of names) project.register(name, { agent });
  const one = names[0]!;
  say("one bottle up and down");
  const upOne = await must(project, "up", one);
  const downOne = await must(project, "down", one, "--yes");
  say(`${many} bottles up and down`);
  const upMany = await must(project, "up", ...names);
  const begun = Date.now();
  const listed = JSON.parse((await bottle(project, ["ls", "--json"])).stdout) as { project?: string; health: string; memory_bytes?: number }[];
  const ls = (Date.now() - begun) / 1000;
  const own = listed.filter((each) => each.project === project.folder && each.health === "healthy");
  if (own.length !== many) throw new Error(`bottle ls shows ${own.length} healthy bottles of ${many}`);
  const memory = own.reduce((sum, { memory_bytes = 0 }) => sum + memory_bytes, 0) / 2 ** 20 / many;
  const downMany = await must(project, "down", ...names, "--yes");
  const left = existsSync(project.path("state")) ? readdirSync(project.path("state")).filter((name) => existsSync(project.path("state", name, "metadata.json"))) : [];
  if (left.length > 0) throw new Error(`state is left of ${left.join(", ")}`);
  return [
    { what: `${many} bottles up, side by side`, unit: "s", value: upMany, beside: { name: "one", value: upOne } },
    { what: `${many} bottles down, side by side`, unit: "s", value: downMany, beside: { name: "one", value: downOne } },
    { what: `bottle ls with ${many} of them`, unit: "s", value: ls },
    { what: "idle memory of one of them", unit: "MiB", value: memory },
  ];
}

/** Seconds that it took. @throws Error with its output */
async function must(project: ScratchProject, ...args: string[]): Promise<number> {
  const begun = Date.now();
  const { code, output } = await bottle(project, args, {}, 900_000);
  if (code !== 0) throw new Error(`bottle ${args.join(" ")}: exit code ${code}\n${output.slice(-3000)}`);
  return (Date.now() - begun) / 1000;
}
