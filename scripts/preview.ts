// npm run preview [-- OPTION… MANIFEST…]: bottle-preview in a clone, with the CLI and plugins set up first.
import { parsePreview, USAGE } from "./preview/arguments.ts";
import { previewAll } from "./preview/preview.ts";
import { bottleEnvironment } from "./setup/environment.ts";
import { parts } from "./setup/parts.ts";
import { projectRoot } from "./setup/project.ts";
import { ensureParts } from "./setup/report.ts";

try {
  const args = parsePreview(process.argv.slice(2));
  if (args.help) {
    console.log(USAGE.replace("bottle-preview", "npm run preview --"));
    process.exit(0);
  }
  const ready = await ensureParts([parts.docker, parts.pulumi, parts.plugins], { quiet: true });
  process.exitCode = ready ? await previewAll(projectRoot, args, await bottleEnvironment()) : 1;
} catch (error) {
  console.error(`preview: ${(error as Error).message}`);
  process.exitCode = 2;
}
