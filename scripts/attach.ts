// npm run attach [STACK [COMMAND…]]: enters a running bottle, with its agent or with another command.
import { attachCommand } from "./setup/attach-command.ts";
import { bottleEnvironment } from "./setup/environment.ts";
import { lastLines, run, runAttached } from "./setup/exec.ts";
import { projectRoot } from "./setup/project.ts";

const [stack = "implementer", ...command] = process.argv.slice(2);
const env = await bottleEnvironment();
const { code, stdout, stderr } = await run("pulumi", ["stack", "output", "--json", "--stack", stack], { cwd: projectRoot, env, timeout: 60_000 });
const outputs = code === 0 ? (JSON.parse(stdout) as { attach?: string; agentContainer?: string }) : {};
if (!outputs.attach || !outputs.agentContainer) {
  const problem = code === 0 ? `the stack ${stack} is not up` : lastLines(stderr, 2);
  process.stderr.write(`attach: ${problem}.\n  mend:  npm start ${stack}\n`);
  process.exit(1);
}
const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
const line = attachCommand({ attach: outputs.attach, agentContainer: outputs.agentContainer }, command, terminal);
process.exitCode = await runAttached("/bin/sh", ["-c", `exec ${line}`], { env });
