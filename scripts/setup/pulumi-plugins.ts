import { bottleEnvironment } from "./environment.ts";
import { lastLines, run } from "./exec.ts";
import { type Part, SetupError } from "./part.ts";
import { projectRoot } from "./project.ts";
import { pinnedPlugins, pulumiHome, type Plugin } from "./pulumi-home.ts";

const name = "Pulumi plugins";

/** The plugins among these that a `pulumi plugin ls --json` does not list. */
export function missingPlugins(wanted: readonly Plugin[], listing: string): Plugin[] {
  const there = JSON.parse(listing) as { name: string; kind: string; version: string }[];
  return wanted.filter(
    ({ name, version }) => !there.some((each) => each.kind === "resource" && each.name === name && each.version.replace(/^v/, "") === version),
  );
}

/** The providers' plugins, each at the version of its npm package. Needs the CLI; the network only if one is missing. */
export const pulumiPlugins: Part = {
  name,
  async ensure(progress) {
    const wanted = pinnedPlugins();
    const env = await bottleEnvironment();
    const detail = wanted.map(describe).join(", ");
    const listing = await run("pulumi", ["plugin", "ls", "--json"], { cwd: projectRoot, env, timeout: 30_000 });
    if (listing.code !== 0) throw failed("the installed ones cannot be listed", "pulumi plugin ls --json", listing, wanted);
    const missing = missingPlugins(wanted, listing.stdout);
    if (missing.length === 0) return { changed: false, detail };
    progress(`installing ${missing.map(describe).join(", ")}`);
    const args = ["install", "--no-dependencies"];
    const install = await run("pulumi", args, { cwd: projectRoot, env, timeout: 900_000 });
    if (install.code !== 0) throw failed(`${missing.map(describe).join(", ")} cannot be had`, `pulumi ${args.join(" ")}`, install, missing);
    return { changed: true, detail };
  },
};

function failed(problem: string, tried: string, result: { stdout: string; stderr: string }, plugins: readonly Plugin[]): SetupError {
  const each = plugins[0]!;
  return new SetupError(name, {
    problem: `${problem}: ${lastLines(result.stdout + result.stderr, 4)}`,
    tried,
    mend: `Where there is no way out, bring each plugin's archive over and run: pulumi plugin install resource ${each.name} ${each.version} --file ARCHIVE (they go to ${pulumiHome()}/plugins).`,
  });
}

function describe({ name, version }: Plugin): string {
  return `${name} ${version}`;
}
