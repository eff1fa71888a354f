#!/usr/bin/env node
// bottle-preview, in the package: for the CI of a repository that keeps bottles.
import { parsePreview, USAGE } from "./arguments.ts";
import { previewAll } from "./preview.ts";

try {
  const args = parsePreview(process.argv.slice(2));
  if (args.help) console.log(USAGE);
  else process.exitCode = await previewAll(process.cwd(), args, process.env);
} catch (error) {
  console.error(`bottle-preview: ${(error as Error).message}\n\n${USAGE}`);
  process.exitCode = 2;
}
