#!/usr/bin/env node
// The command `bottle`: in a clone the TypeScript beside it, by way of set-up's own bootstrap (which fetches what is
// missing); in the published package what was built, since Node strips no types inside node_modules.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const bootstrap = new URL("../scripts/bootstrap.mjs", import.meta.url);
if (existsSync(bootstrap)) {
  process.argv.splice(2, 0, "cli/main.ts");
  await import(fileURLToPath(bootstrap));
} else {
  await import(new URL("../dist/cli/main.js", import.meta.url).href);
}
