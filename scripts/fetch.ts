// npm run fetch [STACK [BRANCH…]]: takes the agent's branches out of a running bottle into the git repository you stand in.
import { bottleEnvironment } from "./setup/environment.ts";
import { lastLines, run, runAttached } from "./setup/exec.ts";
import { fetchArguments } from "./setup/fetch-arguments.ts";
import { projectRoot } from "./setup/project.ts";

const [stack = "implementer", ...branches] = process.argv.slice(2);
const fail = (problem: string, mend: string): never => {
  process.stderr.write(`fetch: ${problem}.\n  mend:  ${mend}\n`);
  process.exit(1);
};
const env = await bottleEnvironment();
const { code, stdout, stderr } = await run("pulumi", ["stack", "output", "--json", "--stack", stack], { cwd: projectRoot, env, timeout: 60_000 });
const outputs = code === 0 ? (JSON.parse(stdout) as { attach?: string; agentContainer?: string }) : {};
if (!outputs.attach || !outputs.agentContainer) fail(code === 0 ? `the stack ${stack} is not up` : lastLines(stderr, 2), `npm start ${stack}`);
// npm runs scripts in the project's folder and keeps where you were.
const repository = process.env["INIT_CWD"] ?? process.cwd();
if ((await run("git", ["-C", repository, "rev-parse", "--git-dir"])).code !== 0) fail(`${repository} is in no git repository`, "Go to the clone that is to have the branches, and run it there: npm --prefix PROJECT run fetch");
process.exitCode = await runAttached("git", ["-C", repository, ...fetchArguments(outputs as { attach: string; agentContainer: string }, stack, branches)]);
