// What this machine has of what tests on real parts need. Looked up once a test file, when this is imported.
import { describe } from "vitest";
import { BASE_IMAGE, PIPELOCK_IMAGE } from "../../components/manifest/schema.ts";
import { readDockerState, shortcomings } from "../../scripts/setup/docker-state.ts";
import { run } from "../../scripts/setup/exec.ts";
import { findPulumi } from "../../scripts/setup/pulumi-cli.ts";
import { missingPlugins } from "../../scripts/setup/pulumi-plugins.ts";
import { pinnedPlugins, pinnedPulumi } from "../../scripts/setup/pulumi-home.ts";

/** `engine`: Docker, Compose, buildx; `base`: the base image; `pipelock`: its image; `pulumi`: CLI and plugins; `terminal`: script(1), which makes one. */
export type PartName = "engine" | "base" | "pipelock" | "pulumi" | "terminal";

/** For each part `true`, or why it is not there. */
export type Parts = Record<PartName, true | string>;

export const parts: Parts = await lookAtParts();

async function lookAtParts(): Promise<Parts> {
  const [state, pulumi] = await Promise.all([readDockerState(), pulumiPart()]);
  const lacking = shortcomings(state).join("; ");
  const image = async (name: string): Promise<true | string> => {
    if (lacking) return lacking;
    const { code } = await run("docker", ["image", "inspect", "--format", "{{.Id}}", name], { timeout: 20_000 });
    return code === 0 || `the image ${name} is not in the engine's store`;
  };
  const [base, pipelock, terminal] = await Promise.all([image(BASE_IMAGE), image(PIPELOCK_IMAGE), terminalPart()]);
  return { engine: lacking || true, base, pipelock, pulumi, terminal };
}

/** util-linux's, by the options that tests use; Debian has it in bsdutils, which is essential. */
async function terminalPart(): Promise<true | string> {
  const { code } = await run("script", ["--quiet", "--flush", "--echo", "always", "--command", "true", "/dev/null"], { timeout: 10_000 });
  return code === 0 || "no script(1) of util-linux 2.35 or newer";
}

async function pulumiPart(): Promise<true | string> {
  const cli = await findPulumi();
  if (!cli) return `no Pulumi CLI ${pinnedPulumi()} or newer`;
  const { code, stdout, stderr } = await run(`${cli.folder}/pulumi`, ["plugin", "ls", "--json"], { timeout: 30_000 });
  if (code !== 0) return `pulumi plugin ls: ${stderr.trim()}`;
  const missing = missingPlugins(pinnedPlugins(), stdout).map(({ name, version }) => `${name} ${version}`);
  return missing.length === 0 || `Pulumi plugins missing: ${missing.join(", ")}`;
}

/** Why the tests that need these parts cannot run here; undefined if they can. */
export function lack(needs: readonly PartName[], have: Parts = parts): string | undefined {
  const reasons = needs.map((part) => have[part]).filter((each) => each !== true);
  return reasons.length === 0 ? undefined : [...new Set(reasons)].join("; ");
}

/**
 * `describe` for tests that need parts of the machine. Where one is missing every test inside is skipped, by name and
 * counted, with the reason in the name.
 */
export function describeWith(needs: readonly PartName[], name: string, tests: () => void): void {
  const reason = lack(needs);
  if (reason === undefined) describe(name, tests);
  else describe.skip(`${name} [skipped: ${reason}]`, tests);
}
