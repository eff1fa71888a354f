// A Pulumi project of the bench's own: a copy of this one, with its own backend, passphrase and stack, in a temporary
// folder. It takes nothing from the user's stacks and leaves nothing behind.
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { identify, type Identity } from "../../components/identity.ts";
import { backendUrl } from "../../components/machine/backend.ts";
import { memoryFolder } from "../../components/machine/secrets.ts";
import { stateFolder } from "../../components/state-folder.ts";
import { networkSubnets } from "../../components/subnets.ts";
import { bottleEnvironment } from "../../scripts/setup/environment.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { makeCertificates } from "../lib/certificates.ts";
import { labelled, removeLabelled } from "../lib/cleanup.ts";
import { uniqueName } from "../lib/run.ts";
import { attempt, timed, type Result } from "./processes.ts";

/** Hosts of the upstream, by the way that the manifest gives them. */
export const hosts = {
  /** Allowed as a whole, passed through by pipelock: a tunnel from end to end. */
  tunnelled: "tunnelled.bottle-bench.test",
  /** A route with method, path and credential, passed through by pipelock: opened by egress. */
  opened: "opened.bottle-bench.test",
  /** Allowed as a whole, inspected: opened by pipelock. */
  inspected: "inspected.bottle-bench.test",
  /** A route with method, path and credential, inspected: opened by egress and by pipelock. */
  both: "both.bottle-bench.test",
} as const;

/** Variable with the token that the routes put on. */
const TOKEN = "BOTTLE_BENCH_TOKEN";

export class Scratch {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly identity: Identity;
  /** Label value and name prefix of what the bench makes by itself. */
  readonly owner: string;
  /** Absolute folder of the bottle's rendered files. */
  readonly state: string;

  private constructor(folder: string, owner: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.owner = owner;
    this.env = env;
    // As the program itself will find it: same backend, organisation of file backends, project, stack.
    this.identity = identify(backendUrl(folder, env), "organization", "bottle", "bench");
    this.state = stateFolder(folder, this.identity.slug).root;
  }

  static async make(): Promise<Scratch> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "bottle-bench-")));
    try {
      for (const name of ["index.ts", "components", "Pulumi.yaml", "package.json"]) cpSync(join(projectRoot, name), join(folder, name), { recursive: true });
      symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
      mkdirSync(join(folder, "backend"));
      mkdirSync(join(folder, "tls"));
      const { ca, key, certificate } = await makeCertificates(Object.values(hosts));
      writeFileSync(join(folder, "tls/ca.pem"), ca);
      writeFileSync(join(folder, "tls/server.key"), key);
      writeFileSync(join(folder, "tls/server.pem"), certificate);
      const scratch = new Scratch(folder, uniqueName("bench"), await environment(folder));
      await scratch.pulumi("stack", "init", "--no-select", "bench");
      scratch.allow([]);
      return scratch;
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Writes the manifest: the upstream's hosts and routes, and more hosts. */
  allow(more: readonly string[]): void {
    const auth = { variable: TOKEN, header: "x-api-key", scheme: "raw" };
    const route = { methods: ["GET", "POST"], paths: ["/v1/**"], auth };
    const config = {
      "bottle:agent": { image: "debian:trixie-slim" },
      "bottle:network": {
        hosts: [{ host: hosts.tunnelled, inspect: false }, { host: hosts.inspected, inspect: true }, ...more],
        routes: [
          { host: hosts.opened, inspect: false, ...route },
          { host: hosts.both, inspect: true, ...route },
        ],
      },
      "bottle:trust": { caFiles: ["tls/ca.pem"] },
    };
    // The salt that `stack init` wrote stays: without it the state cannot be read.
    const file = join(this.folder, "Pulumi.bench.yaml");
    this.#salt ??= /^encryptionsalt:.*$/m.exec(readIfThere(file))?.[0] ?? "";
    writeFileSync(file, `${this.#salt}\n${stringify({ config })}`);
  }
  #salt: string | undefined;

  /** Runs the Pulumi CLI on the bench's stack. @throws Error with its last lines */
  pulumi(...args: string[]): Promise<Result> {
    return timed("pulumi", [...args, "--non-interactive", ...(args[0] === "stack" ? [] : ["--stack", "bench"])], { cwd: this.folder, env: this.env });
  }

  /** The bottle's addresses, read from what `up` rendered. */
  get subnets(): ReturnType<typeof networkSubnets> {
    const { subnet } = JSON.parse(readIfThere(join(this.state, "metadata.json"))) as { subnet: string };
    return networkSubnets(subnet);
  }

  /** Name of a service's container. */
  container(service: string): string {
    return `${this.identity.composeProject}-${service}-1`;
  }

  /**
   * Puts unlabelled twins in the place of the bottle's own images, which go with `destroy`: from now on they are there
   * before an `up`, as they are for bare Compose. The bottle is up.
   */
  async keepImages(): Promise<void> {
    const own = ["images", "--filter", `label=bottle.instance=${this.identity.instance}`, "--format", "{{.Repository}}:{{.Tag}}"];
    for (const image of (await timed("docker", own)).stdout.split("\n").filter((name) => name !== "" && !name.includes("<none>"))) {
      await timed("docker", ["build", "--tag", image, "--label", "bottle.instance=", ...labelled(this.owner), "-"], { input: `FROM ${image}\n` });
    }
  }

  /** Takes everything away, whatever state it is in. What cannot be removed is said on standard error. */
  async remove(): Promise<void> {
    await attempt("pulumi", ["cancel", "--yes", "--non-interactive", "--stack", "bench"], { cwd: this.folder, env: this.env });
    // Containers of ours on the bottle's networks would keep the networks.
    await removeLabelled(this.owner);
    const destroyed = await attempt("pulumi", ["destroy", "--yes", "--skip-preview", "--non-interactive", "--stack", "bench"], { cwd: this.folder, env: this.env });
    if (destroyed.code !== 0) process.stderr.write(`pulumi destroy: ${destroyed.stdout}${destroyed.stderr}\n`);
    await removeLabelled(this.identity.instance, "bottle.instance");
    const tokens = memoryFolder(this.identity.instance);
    if (tokens !== undefined) {
      rmSync(tokens, { recursive: true, force: true });
      await attempt("rmdir", ["--ignore-fail-on-non-empty", dirname(tokens)]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The tools on PATH, and nothing of the user's own Pulumi settings. */
async function environment(folder: string): Promise<NodeJS.ProcessEnv> {
  const inherited = Object.entries(await bottleEnvironment()).filter(([name]) => !/^(PULUMI_(BACKEND|CONFIG|STACK|ACCESS|DEBUG)|BOTTLE_)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    PULUMI_BACKEND_URL: `file://${join(folder, "backend")}`,
    PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString("hex"),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    [TOKEN]: randomBytes(16).toString("hex"),
  };
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
