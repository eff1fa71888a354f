#!/usr/bin/env node
// bottle-preview, in the package: for the CI of a repository that keeps bottles.
import { parsePreview, USAGE } from "./arguments.ts";
import { previewAll } from "./preview.ts";

try {
  process.exitCode = await previewAll(process.cwd(), parsePreview(process.argv.slice(2)), process.env);
} catch (error) {
  console.error(`bottle-preview: ${(error as Error).message}\n\n${USAGE}`);
  process.exitCode = 2;
}
