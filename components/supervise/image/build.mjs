// Run in the image's build stage: bundles supervise into one file and lays beside it what each bundled package says of
// itself (name, version, licence), where SBOM tools find it.
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const [entry, output] = process.argv.slice(2);
const outfile = join(output, "supervise.cjs");
const { metafile } = await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", target: "node24", format: "cjs", logLevel: "warning", metafile: true });

const inputs = Object.entries(Object.values(metafile.outputs)[0].inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
const packages = new Set(inputs.flatMap(([path]) => /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []));
for (const folder of packages) {
  mkdirSync(join(output, folder), { recursive: true });
  for (const file of readdirSync(folder).filter((name) => /^(package\.json|(licen[cs]e|notice|copying)\b.*)$/i.test(name))) cpSync(join(folder, file), join(output, folder, file));
}
