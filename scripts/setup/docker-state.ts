import { MINIMUM_COMPOSE, MINIMUM_ENGINE } from "../../components/machine/preflight.ts";
import { run, TIMED_OUT } from "./exec.ts";
import { atLeast, shortVersion } from "./version.ts";

/** What the Docker command line says of itself and of the engine behind it. Versions are absent where there is none. */
export interface DockerState {
  client?: string;
  engine?: string;
  compose?: string;
  buildx?: string;
  /** The endpoint in use, for example "unix:///var/run/docker.sock". */
  endpoint: string;
  /** Whether the user chose that endpoint, by DOCKER_HOST or a Docker context. */
  chosen: boolean;
  /** The command line's own words when the engine does not answer. */
  error?: string;
}

const standardEndpoint = "unix:///var/run/docker.sock";

/** Asks the Docker command line. An engine that does not answer in 20 s counts as absent. */
export async function readDockerState(): Promise<DockerState> {
  const docker = (...args: string[]) => run("docker", args, { timeout: 20_000 });
  const [version, compose, buildx, context] = await Promise.all([
    docker("version", "--format", "{{json .}}"),
    docker("compose", "version", "--short"),
    docker("buildx", "version"),
    docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}"),
  ]);
  const parsed = parseVersions(version.stdout);
  const endpoint = process.env["DOCKER_HOST"] || context.stdout.trim() || standardEndpoint;
  const error = version.code === TIMED_OUT ? "no answer in 20 s" : version.stderr.trim();
  return {
    ...parsed,
    // Where a plugin is missing, the client prints its own help or version for these, with exit code 0 at times.
    ...(compose.code === 0 && /^v?\d/.test(compose.stdout) ? { compose: shortVersion(compose.stdout) } : {}),
    ...(buildx.code === 0 && /buildx/.test(buildx.stdout) ? { buildx: shortVersion(buildx.stdout) } : {}),
    endpoint,
    chosen: endpoint !== standardEndpoint,
    ...(parsed.engine ? {} : { error: error || "no answer" }),
  };
}

/** The two versions in `docker version --format '{{json .}}'`. */
export function parseVersions(json: string): { client?: string; engine?: string } {
  let parsed: { Client?: { Version?: string } | null; Server?: { Version?: string } | null };
  try {
    parsed = JSON.parse(json);
  } catch {
    return {};
  }
  const client = parsed.Client?.Version;
  const engine = parsed.Server?.Version;
  return { ...(client ? { client } : {}), ...(engine ? { engine } : {}) };
}

/** What is too old or missing, each in a few words; empty if the state will do. */
export function shortcomings(state: DockerState): string[] {
  const { engine, compose, buildx } = state;
  return [
    ...(!engine ? ["no engine answers"] : []),
    ...(engine && !atLeast(engine, MINIMUM_ENGINE)
      ? [`engine ${engine} is older than ${MINIMUM_ENGINE}, and ignores isolated gateways without a word`]
      : []),
    ...(!compose ? ["no Compose plugin"] : []),
    ...(compose && !atLeast(compose, MINIMUM_COMPOSE) ? [`Compose ${compose} is older than ${MINIMUM_COMPOSE}`] : []),
    ...(!buildx ? ["no buildx plugin"] : []),
  ];
}

/** For people: "Docker 28.5.2, Compose 2.40.3, buildx 0.29.1". */
export function describeState({ engine, compose, buildx }: DockerState): string {
  return `Docker ${shortVersion(engine ?? "?")}, Compose ${compose ?? "?"}, buildx ${buildx ?? "?"}`;
}
