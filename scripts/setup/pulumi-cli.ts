import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { lastLines, run } from "./exec.ts";
import { which } from "./machine.ts";
import { type Part, SetupError } from "./part.ts";
import { projectRoot } from "./project.ts";
import { pinnedPulumi, pinnedPulumiFolder } from "./pulumi-home.ts";
import { atLeast, parseVersion } from "./version.ts";

const name = "Pulumi CLI";

/** A CLI that will do. */
export interface PulumiCli {
  version: string;
  /** The folder it is in, with the language host for Node beside it. */
  folder: string;
  /** Whether it is the one that set-up fetches, and not the user's own on PATH. */
  pinned: boolean;
}

/** Whether a CLI works with the pinned SDK and Pulumi.yaml: the same major version, and not older than the pin. */
export function isCompatible(version: string, pinned = pinnedPulumi()): boolean {
  return parseVersion(version)[0] === parseVersion(pinned)[0] && atLeast(version, pinned);
}

/** The CLI that PATH leads to, if it is compatible, else the pinned one, if it has been fetched. */
export async function findPulumi(environment: NodeJS.ProcessEnv = process.env): Promise<PulumiCli | undefined> {
  const pinned: PulumiCli = { version: pinnedPulumi(), folder: pinnedPulumiFolder(environment), pinned: true };
  const path = (environment["PATH"] ?? "").split(delimiter).filter((folder) => !folder.endsWith(join("node_modules", ".bin")));
  const found = path.map((folder) => join(folder, "pulumi")).find(existsSync);
  if (found && dirname(found) !== pinned.folder && which("pulumi-language-nodejs", [dirname(found), ...path].join(delimiter))) {
    const { code, stdout } = await run(found, ["version"], { env: { ...environment, PULUMI_SKIP_UPDATE_CHECK: "true" }, timeout: 20_000 });
    if (code === 0 && isCompatible(stdout)) return { version: stdout.trim().replace(/^v/, ""), folder: dirname(found), pinned: false };
  }
  return isComplete(pinned.folder) ? pinned : undefined;
}

function isComplete(folder: string): boolean {
  return ["pulumi", "pulumi-language-nodejs"].every((file) => existsSync(join(folder, file)));
}

/** The CLI: a compatible one on PATH, else the pinned one, downloaded by npm's `pulumi` package. */
export const pulumiCli: Part = {
  name,
  async ensure(progress) {
    const there = await findPulumi();
    if (there) return { changed: false, detail: `${there.version} in ${there.folder}` };
    const version = pinnedPulumi();
    const folder = pinnedPulumiFolder();
    progress(`downloading ${version} into ${folder}`);
    const wrapper = createRequire(join(projectRoot, "package.json")).resolve("pulumi/run.js");
    const { code, stdout, stderr } = await run(process.execPath, [wrapper, "version"], { timeout: 900_000 });
    if (code !== 0 || !isComplete(folder)) {
      throw new SetupError(name, {
        problem: `${version} cannot be had: ${lastLines(stdout + stderr, 4)}`,
        tried: `pulumi on PATH (needs ${version} or a newer ${parseVersion(version)[0]}.x); npm's pulumi@${version}, which downloads it`,
        mend: `Install Pulumi ${version} (https://www.pulumi.com/docs/install/) so that it is on PATH, or put its bin folder at ${folder}, and run this again.`,
      });
    }
    return { changed: true, detail: `${version} in ${folder}` };
  },
};
