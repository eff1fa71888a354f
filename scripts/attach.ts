// npm run attach [STACK [COMMAND…]]: enters a running bottle, with its agent or with another command.
import { attachCommand } from "./setup/attach-command.ts";
import { bottleEnvironment } from "./setup/environment.ts";
import { runAttached } from "./setup/exec.ts";
import { runningBottle } from "./setup/running-bottle.ts";

const [stack = "implementer", ...command] = process.argv.slice(2);
const env = await bottleEnvironment();
const outputs = await runningBottle(stack, "attach", env);
const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
const line = attachCommand(outputs, command, terminal);
process.exitCode = await runAttached("/bin/sh", ["-c", `exec ${line}`], { env });
