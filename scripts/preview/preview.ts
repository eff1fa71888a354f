// `pulumi preview` of manifests for people who review them: in a backend of its own that is gone afterwards, so it
// needs no login, no passphrase and no token, and writes nothing into the project.
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { run, type RunResult } from "../../components/machine/run.ts";
import type { PreviewArguments } from "./arguments.ts";
import { PLACEHOLDER, scratchConfig, stackOf } from "./scratch-config.ts";
import { summary, type Preview } from "./summary.ts";

/** Ours, beside this script in a clone and in the package alike. */
const ownPack = fileURLToPath(new URL("../../policies", import.meta.url));

/** First start of a machine downloads the providers' plugins. */
const TIMEOUT = 900_000;

/**
 * Previews each manifest with the policy packs and writes the summary where GitHub (or the caller) wants it.
 *
 * @param project absolute path of the folder of Pulumi.yaml.
 * @param env with the Pulumi CLI and Node on PATH.
 * @returns the exit code: 1 where a preview failed or there was nothing to preview.
 */
export async function previewAll(project: string, { manifests, packs, packConfig, summaryFile }: PreviewArguments, env: NodeJS.ProcessEnv): Promise<number> {
  const files = manifests.length > 0 ? manifests : readdirSync(project).filter((name) => /^Pulumi\..+\.ya?ml$/.test(name)).sort();
  if (files.length === 0) throw new Error(`there is no Pulumi.<stack>.yaml in ${project}; name the manifests`);
  const looking = packs ?? [ownPack];
  const policy = [...looking.flatMap((pack) => ["--policy-pack", resolve(project, pack)]), ...packConfig.flatMap((file) => ["--policy-pack-config", resolve(project, file)])];

  const scratch = new Scratch(project, env);
  try {
    const previews: Preview[] = [];
    for (const file of files) previews.push(await scratch.preview(file, policy));
    const target = summaryFile ?? env["GITHUB_STEP_SUMMARY"];
    if (target) appendFileSync(target, summary(previews, looking.map((pack) => (pack === ownPack ? "bottle's own" : pack))));
    const failed = previews.filter(({ code }) => code !== 0).map(({ file }) => file);
    console.log(failed.length === 0 ? `\n${files.length} previewed` : `\n${files.length} previewed, failed: ${failed.join(", ")}`);
    return failed.length === 0 ? 0 : 1;
  } finally {
    scratch.remove();
  }
}

/** A backend, and a project of the same name in which its stacks are made: their files are no file of the real project. */
class Scratch {
  readonly #folder = mkdtempSync(join(tmpdir(), "bottle-preview-"));
  readonly #project: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(project: string, env: NodeJS.ProcessEnv) {
    this.#project = project;
    mkdirSync(join(this.#folder, "backend"));
    const { name } = parse(readFileSync(join(project, "Pulumi.yaml"), "utf8")) as { name: string };
    writeFileSync(join(this.#folder, "Pulumi.yaml"), stringify({ name, runtime: "nodejs" }));
    const { PULUMI_CONFIG_PASSPHRASE_FILE: _file, ...rest } = env;
    this.#env = { ...rest, PULUMI_BACKEND_URL: `file://${this.#folder}/backend`, PULUMI_CONFIG_PASSPHRASE: PLACEHOLDER, PULUMI_SKIP_UPDATE_CHECK: "true" };
  }

  /** What keeps a preview from starting is told as its output: the other manifests are previewed all the same. */
  async preview(file: string, policy: readonly string[]): Promise<Preview> {
    const stack = stackOf(file);
    const shown = relative(this.#project, resolve(this.#project, file));
    console.log(`\n== ${shown} (stack ${stack})`);
    let secrets: readonly string[] = [];
    try {
      const config = scratchConfig(readFileSync(resolve(this.#project, file), "utf8"));
      secrets = config.secrets;
      const configFile = await this.#make(stack, config.text, secrets);
      if (config.dropped.includes("environment")) console.log("  ! its ESC environments are left out: they need a login");
      // --suppress-outputs: they hold this machine's paths.
      const args = ["preview", "--stack", stack, "--config-file", configFile, "--suppress-outputs", "--suppress-progress", ...policy];
      const { code, output } = await this.#pulumi(args, this.#project, (text) => process.stdout.write(text));
      return { stack, file: shown, code, output, secrets };
    } catch (error) {
      const output = `${shown}: ${(error as Error).message}`;
      console.log(output);
      return { stack, file: shown, code: 1, output, secrets };
    }
  }

  /** Creates the stack. @returns its file. */
  async #make(stack: string, config: string, secrets: readonly string[]): Promise<string> {
    const must = async (args: readonly string[]) => {
      const { code, output } = await this.#pulumi(args, this.#folder);
      if (code !== 0) throw new Error(`pulumi ${args[0]} ${args[1]}: ${output.trim()}`);
    };
    await must(["stack", "init", stack, "--no-select"]);
    const file = join(this.#folder, `Pulumi.${stack}.yaml`);
    appendFileSync(file, config);
    for (const path of secrets) await must(["config", "set", "--secret", "--path", path, PLACEHOLDER, "--stack", stack]);
    return file;
  }

  async #pulumi(args: readonly string[], cwd: string, onOutput?: (text: string) => void): Promise<RunResult & { output: string }> {
    let output = "";
    const heard = (text: string): void => void ((output += text), onOutput?.(text));
    const result = await run("pulumi", [...args, "--non-interactive", "--color", "never"], { cwd, env: this.#env, timeout: TIMEOUT, onOutput: heard });
    return { ...result, output: result.code === 127 ? `the Pulumi CLI cannot be run: ${result.stderr.trim()}` : output };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
