// Sets up single parts: node scripts/bootstrap.mjs scripts/setup.ts docker base-image
import { parts } from "./setup/parts.ts";
import { ensureParts } from "./setup/report.ts";

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in parts));
if (names.length === 0 || unknown.length > 0) {
  console.error(`usage: setup.ts PART…, with PART one of ${Object.keys(parts).join(", ")}`);
  process.exit(2);
}
process.exitCode = (await ensureParts(names.map((name) => parts[name as keyof typeof parts]))) ? 0 : 1;
