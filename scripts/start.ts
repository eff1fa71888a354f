// npm start [STACK]: sets up what is missing on this machine and brings the bottle up (default: implementer).
import { bottleEnvironment, quote } from "./setup/environment.ts";
import { run, runAttached } from "./setup/exec.ts";
import { parts } from "./setup/parts.ts";
import { projectRoot } from "./setup/project.ts";
import { ensureParts } from "./setup/report.ts";
import { stackPart } from "./setup/stack.ts";

const [stack = "implementer", ...rest] = process.argv.slice(2);
if (rest.length > 0 || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(stack)) {
  console.error("usage: npm start [STACK]");
  process.exit(2);
}
process.exitCode = await start(stack);

async function start(stack: string): Promise<number> {
  console.error("Set-up");
  if (!(await ensureParts([...Object.values(parts), stackPart(stack)]))) return 1;
  const env = await bottleEnvironment();
  const up = ["up", "--stack", stack, "--yes"];
  console.error(`\npulumi ${up.join(" ")}`);
  const code = await runAttached("pulumi", up, { cwd: projectRoot, env });
  if (code !== 0) {
    console.error(`\n  x bottle ${stack}: pulumi up ended with exit code ${code}; its message is above.`);
    console.error(`  mend:  Correct what it names (the manifest is Pulumi.${stack}.yaml) and run \`npm start ${stack}\` again.`);
    console.error("         Where it says that the stack is locked by an update that no longer runs: pulumi cancel");
    return 1;
  }
  const attach = await run("pulumi", ["stack", "output", "attach", "--stack", stack], { cwd: projectRoot, env });
  console.log(`
The bottle ${stack} is up. Enter it:

  ${attach.stdout.trim()}
  (or: npm run attach ${stack})

For pulumi's own commands (preview, up, stack output, destroy) in this shell:

  cd ${quote(projectRoot)} && eval "$(npm run -s env)"
  pulumi destroy -s ${stack}     takes it all away again`);
  return attach.code === 0 ? 0 : 1;
}
