// npm run -s env: what Pulumi's commands and `bottle` need, as lines for a shell to evaluate: eval "$(npm run -s env)"
import { join } from "node:path";
import { readMissingEnvironment, renderExports } from "./setup/environment.ts";
import { findPulumi } from "./setup/pulumi-cli.ts";
import { projectRoot } from "./setup/project.ts";
import { ensureParts } from "./setup/report.ts";
import { pulumiState } from "./setup/state.ts";

// Only what the printed lines name, and cheap: a passphrase file that is not there would fail every command.
const there = await ensureParts([pulumiState], { quiet: true });
const { variables, path } = await readMissingEnvironment();
process.stdout.write(renderExports({ variables, path: [...path, join(projectRoot, "bin")] }));
if (!(await findPulumi())) process.stderr.write("  x Pulumi CLI: not there yet.\n  mend:  npm start\n");
process.exitCode = there ? 0 : 1;
