// The Docker engine that this bottle is on: the one the Docker CLI would use.
import { isAbsolute } from "node:path";
import { run } from "./run.ts";

/** How to reach the engine, as kept with the bottle: a later `destroy` acts on this engine. */
export interface Engine {
  /** Environment for the Docker CLI: DOCKER_HOST or DOCKER_CONTEXT. */
  readonly environment: Readonly<Record<string, string>>;
  /** Endpoint URL, such as unix:///var/run/docker.sock. */
  readonly host: string;
  /** Name of the context, where it is not the default one. */
  readonly context?: string;
}

/** What the engine said of itself; undefined where it did not answer. */
export interface EngineFacts {
  readonly version: string;
  readonly runtimes: readonly string[];
  readonly cpus: number;
  readonly operatingSystem: string;
}

export interface EngineNetwork {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** CIDRs. */
  readonly subnets: readonly string[];
}

const DEFAULT_HOST = "unix:///var/run/docker.sock";

/** Asks the Docker CLI which engine it uses (DOCKER_HOST, DOCKER_CONTEXT, current context). */
export async function findEngine(): Promise<Engine> {
  const host = process.env["DOCKER_HOST"];
  if (host) return { environment: { DOCKER_HOST: host }, host };
  const { code, stdout } = await run("docker", ["context", "inspect", "--format", "{{.Name}}\n{{.Endpoints.docker.Host}}"]);
  const [name, endpoint] = stdout.trim().split("\n");
  if (code !== 0 || !name || !endpoint || name === "default") {
    return { environment: { DOCKER_HOST: endpoint || DEFAULT_HOST }, host: endpoint || DEFAULT_HOST };
  }
  // A DOCKER_HOST of the shell that runs a later destroy would win over the context.
  return { environment: { DOCKER_CONTEXT: name, DOCKER_HOST: "" }, host: endpoint, context: name };
}

/** The Docker CLI as people call it to reach this engine. */
export function dockerCommand(engine: Engine): string {
  if (engine.context !== undefined) return `docker --context ${engine.context}`;
  return engine.host === DEFAULT_HOST ? "docker" : `docker --host ${engine.host}`;
}

/** True where the engine sees this machine's files, as bind mounts need. */
export function seesLocalFiles(engine: Engine): boolean {
  return /^(unix|npipe):/.test(engine.host) || isAbsolute(engine.host) || /^tcp:\/\/(127\.|localhost|\[::1\])/.test(engine.host);
}

export async function engineFacts(engine: Engine): Promise<EngineFacts | { readonly error: string }> {
  const { code, stdout, stderr } = await run("docker", ["info", "--format", "{{json .}}"], { env: dockerEnvironment(engine), timeout: 20_000 });
  const info = code === 0 ? (JSON.parse(stdout) as Record<string, unknown>) : {};
  const errors = info["ServerErrors"] as string[] | undefined;
  if (code !== 0 || errors?.length || !info["ServerVersion"]) {
    return { error: errors?.[0] ?? (stderr.trim().split("\n").at(-1) || "docker info did not answer") };
  }
  return {
    version: String(info["ServerVersion"]),
    runtimes: Object.keys((info["Runtimes"] as object | undefined) ?? {}),
    cpus: Number(info["NCPU"]),
    operatingSystem: String(info["OperatingSystem"] ?? ""),
  };
}

/** Version of the Compose plugin, such as 2.40.3; undefined where there is none. */
export async function composeVersion(engine: Engine): Promise<string | undefined> {
  const { code, stdout } = await run("docker", ["compose", "version", "--short"], { env: dockerEnvironment(engine), timeout: 20_000 });
  return code === 0 ? stdout.trim().replace(/^v/, "") : undefined;
}

/** Every network of the engine, with labels and subnets. */
export async function engineNetworks(engine: Engine): Promise<EngineNetwork[]> {
  const env = dockerEnvironment(engine);
  const { stdout: ids } = await run("docker", ["network", "ls", "--quiet", "--no-trunc"], { env, timeout: 20_000 });
  if (ids.trim() === "") return [];
  const { stdout } = await run("docker", ["network", "inspect", ...ids.trim().split("\n")], { env, timeout: 20_000 });
  type Inspected = { Id: string; Name: string; Labels?: Record<string, string>; IPAM?: { Config?: { Subnet?: string }[] } };
  return (JSON.parse(stdout || "[]") as Inspected[]).map((network) => ({
    id: network.Id,
    name: network.Name,
    labels: network.Labels ?? {},
    subnets: (network.IPAM?.Config ?? []).flatMap((config) => (config.Subnet ? [config.Subnet] : [])),
  }));
}

/** This process's environment with the engine's own selection. */
export function dockerEnvironment(engine: Engine): NodeJS.ProcessEnv {
  const { DOCKER_HOST: _host, DOCKER_CONTEXT: _context, ...rest } = process.env;
  return { ...rest, ...engine.environment };
}
