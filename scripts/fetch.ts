// npm run fetch [STACK [BRANCH…]]: takes the agent's branches out of a running bottle into the git repository you stand in.
import { bottleEnvironment } from "./setup/environment.ts";
import { run, runAttached } from "./setup/exec.ts";
import { fetchArguments } from "./setup/fetch-arguments.ts";
import { runningBottle } from "./setup/running-bottle.ts";

const [stack = "implementer", ...branches] = process.argv.slice(2);
const outputs = await runningBottle(stack, "fetch", await bottleEnvironment());
// npm runs scripts in the project's folder and keeps where you were.
const repository = process.env["INIT_CWD"] ?? process.cwd();
if ((await run("git", ["-C", repository, "rev-parse", "--git-dir"])).code !== 0) {
  process.stderr.write(`fetch: ${repository} is in no git repository.\n  mend:  Go to the clone that is to have the branches, and run it there: npm --prefix PROJECT run fetch\n`);
  process.exit(1);
}
process.exitCode = await runAttached("git", ["-C", repository, ...fetchArguments(outputs, stack, branches)]);
