// A Pulumi project of one test file's own: a copy of this checkout's program with its own backend, passphrase and state,
// so that tests never touch the checkout's bottles.
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parse, stringify } from "yaml";
import { identify, type Identity } from "../../components/identity.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { engineObjects, removeObjects } from "./e2e-engine.ts";
import { cleanEnvironment, reapOrphans, startPulumi, type PulumiResult, type RunningPulumi } from "./e2e-pulumi.ts";

/** What a human writes under `config:`, by key without `bottle:`. */
export interface Manifest {
  agent?: Record<string, unknown>;
  network?: Record<string, unknown>;
  git?: Record<string, unknown>;
  supervise?: boolean;
  trust?: Record<string, unknown>;
  images?: Record<string, unknown>;
}

export interface PulumiOptions {
  /** On top of the project's own environment; undefined takes a variable away. */
  env?: NodeJS.ProcessEnv;
  /** Milliseconds; two minutes by default. */
  timeout?: number;
}

const copied = ["components", "examples", "index.ts", "package.json", "Pulumi.yaml"];

/** Copies the program into a new folder under the system's temporary one. */
export async function scratchProject(): Promise<ScratchProject> {
  // Real path: it is part of the bottles' identity, and of what Docker is told to mount.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "bottle-e2e-")));
  const ours = (path: string): boolean => !["node_modules", "__pycache__"].includes(basename(path));
  for (const name of copied) cpSync(join(projectRoot, name), join(folder, name), { recursive: true, filter: ours });
  symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, "backend"));
  const env = { ...(await cleanEnvironment()), PULUMI_BACKEND_URL: `file://${folder}/backend`, PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString("hex") };
  return new ScratchProject(folder, env);
}

export class ScratchProject {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #stacks = new Map<string, Stack>();

  constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.env = env;
  }

  /** Creates a stack with its manifest, as a person does: the file first, then `pulumi stack select --create`. */
  async stack(name: string, manifest: Manifest): Promise<Stack> {
    const stack = this.register(name, manifest);
    const { code, output } = await this.pulumi(["stack", "select", "--create", name]);
    if (code !== 0) throw new Error(`pulumi stack select --create ${name}: exit code ${code}\n${output}`);
    return stack;
  }

  /** Writes a stack's manifest and has the stack cleaned up at the end; the test creates it. */
  register(name: string, manifest: Manifest): Stack {
    const stack = new Stack(this, name);
    stack.write(manifest);
    this.#stacks.set(name, stack);
    return stack;
  }

  start(args: readonly string[], { env = {}, timeout = 120_000 }: PulumiOptions = {}): RunningPulumi {
    const merged = { ...this.env, ...env };
    for (const name of Object.keys(merged)) if (merged[name] === undefined) delete merged[name];
    return startPulumi(args, { cwd: this.folder, env: merged, timeout });
  }

  pulumi(args: readonly string[], options: PulumiOptions = {}): Promise<PulumiResult> {
    return this.start(args, options).done;
  }

  /** `trust` of a manifest: this machine's own CAs, and one more that is given as PEM. */
  trust(pem: string): { caFiles: string[] } {
    writeFileSync(this.path("upstream-ca.pem"), pem);
    return { caFiles: [...trustFiles(undefined, this.folder).paths, "upstream-ca.pem"] };
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /**
   * Destroys every stack and removes the project. Whatever of a stack `pulumi destroy` left on the engine is removed too.
   * @throws Error naming what was left, or why destroy failed
   */
  async dispose(): Promise<void> {
    const complaints: string[] = [];
    for (const stack of this.#stacks.values()) {
      if (stack.resourceCount() > 0) {
        await this.pulumi(["cancel", "--yes", "--stack", stack.name], { timeout: 30_000 });
        const { code, output } = await stack.pulumi("destroy", "--yes", "--skip-preview");
        if (code !== 0) complaints.push(`pulumi destroy -s ${stack.name}: exit code ${code}\n${output.slice(-2000)}`);
      }
      const left = await stack.leftovers();
      if (left.length > 0) complaints.push(`left behind by stack ${stack.name}: ${left.join(", ")}`);
      await removeObjects(stack.identity.instance);
    }
    await reapOrphans();
    rmSync(this.folder, { recursive: true, force: true });
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
  }
}

export class Stack {
  readonly project: ScratchProject;
  readonly name: string;
  readonly identity: Identity;

  constructor(project: ScratchProject, name: string) {
    this.project = project;
    this.name = name;
    this.identity = identify(`file://${project.folder}/backend`, "organization", "bottle", name);
  }

  /** Folder of the bottle's rendered files. */
  get state(): string {
    return this.project.path("state", this.identity.slug);
  }

  get file(): string {
    return this.project.path(`Pulumi.${this.name}.yaml`);
  }

  /** Writes the manifest and keeps what Pulumi itself has put into the file. */
  write(manifest: Manifest): void {
    const { config: _old, ...rest } = existsSync(this.file) ? (parse(readFileSync(this.file, "utf8")) as Record<string, unknown>) : {};
    const config = Object.fromEntries(Object.entries(manifest).map(([key, value]) => [`bottle:${key}`, value]));
    writeFileSync(this.file, stringify({ config, ...rest }));
  }

  /** Runs `pulumi COMMAND … --stack NAME`. */
  pulumi(...args: readonly string[]): Promise<PulumiResult> {
    return this.pulumiWith({}, ...args);
  }

  pulumiWith(options: PulumiOptions, ...args: readonly string[]): Promise<PulumiResult> {
    return this.project.pulumi([...args, "--stack", this.name], options);
  }

  start(...args: readonly string[]): RunningPulumi {
    return this.project.start([...args, "--stack", this.name]);
  }

  /** `pulumi up` without preview. @throws Error with its output if it fails */
  up(options: PulumiOptions = {}): Promise<PulumiResult> {
    return this.succeed(options, "up", "--yes", "--skip-preview");
  }

  /** `pulumi destroy` without preview. @throws Error with its output if it fails */
  destroy(options: PulumiOptions = {}): Promise<PulumiResult> {
    return this.succeed(options, "destroy", "--yes", "--skip-preview");
  }

  async succeed(options: PulumiOptions, ...args: readonly string[]): Promise<PulumiResult> {
    const result = await this.pulumiWith(options, ...args);
    if (result.code !== 0) throw new Error(`pulumi ${args.join(" ")} -s ${this.name}: exit code ${result.code} after ${result.seconds} s\n${result.output}`);
    return result;
  }

  /** Resources in the stack's checkpoint; 0 if there is none. */
  resourceCount(): number {
    const checkpoint = this.project.path("backend/.pulumi/stacks/bottle", `${this.name}.json`);
    if (!existsSync(checkpoint)) return 0;
    const { checkpoint: { latest } } = JSON.parse(readFileSync(checkpoint, "utf8")) as { checkpoint: { latest?: { resources?: unknown[]; pending_operations?: unknown[] } } };
    return (latest?.resources?.length ?? 0) + (latest?.pending_operations?.length ?? 0);
  }

  /** The folder in memory that holds the secrets of the bottle's sidecars, wherever it may be. */
  memoryFolders(): string[] {
    const uid = process.getuid?.() ?? -1;
    return [`/run/user/${uid}`, "/dev/shm"].map((parent) => join(parent, `bottle-${uid}`, this.identity.instance)).filter(existsSync);
  }

  /** What carries this bottle's label on the engine, and its secrets in memory: all that `destroy` must take away. */
  async leftovers(): Promise<string[]> {
    return [...(await engineObjects(this.identity.instance)), ...this.memoryFolders()];
  }
}
