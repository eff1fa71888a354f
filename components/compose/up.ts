// Run by a Command: brings the Compose project up and waits until it is healthy. stdin: the Compose
// file. What Compose says goes to up.log; a failure names the service with its last lines.
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import type { ComposeDocument } from "../drift/containers.ts";
import { lookAtContainers } from "../drift/look.ts";
import { fingerprint, renderedFiles, writeApplied } from "../drift/record.ts";
import { ownedFile, ownedFolder } from "../files/owned-files.ts";
import { input, main, setting } from "../files/script-io.ts";
import { run, type RunResult } from "../machine/run.ts";
import { stateFolderAt } from "../state-folder.ts";
import { explainContainer } from "./explain.ts";
import { mendContainers, mendEvidence } from "./mend.ts";

/** Seconds; a service that crashes on start fails sooner, when its health does. */
const WAIT_TIMEOUT = "60";
/** Milliseconds between looks for containers that keep exiting, and how many looks must find one. */
const WATCH_INTERVAL = 1_500;
const CRASHES_SEEN = 3;

interface Metadata {
  readonly compose_project: string;
  readonly networks: Record<string, { readonly name: string; readonly id: string; readonly internal: boolean; readonly subnet: string; readonly engine_subnets: readonly string[] }>;
  /** Fingerprint of the authorities by the service that reads its key at start only. */
  readonly authorities: Record<string, string>;
  [key: string]: unknown;
}

const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

await main(async () => {
  const folder = setting("STATE_FOLDER");
  const metadata = JSON.parse(setting("METADATA")) as Metadata;
  const file = join(folder, "docker-compose.yml");
  ownedFolder(folder, me);
  const composeFile = input();
  ownedFile(file, composeFile, me);
  await checkIsolation(metadata);

  const compose = ["compose", "--project-name", metadata.compose_project, "--file", file, "--progress", "plain"];
  const before = previous(join(folder, "metadata.json"));
  const document = parse(composeFile) as ComposeDocument;
  await mendContainers(compose, metadata.compose_project, document);
  const up = await upWatched(compose, metadata.compose_project);
  ownedFile(join(folder, "up.log"), up.stdout + up.stderr, me);
  if (up.code !== 0) throw new Error(await explain(compose, up.stderr));
  try {
    await checkIsolation(metadata);
  } catch (error) {
    await run("docker", [...compose, "down", "--timeout", "2"]);
    throw error;
  }

  // A key is read at start; the running service would go on with the old one. Only services that are
  // there: Compose restarts none where one of the names is unknown to it.
  const renewed = Object.keys(metadata.authorities).filter((service) => service in document.services && before?.authorities?.[service] && before.authorities[service] !== metadata.authorities[service]);
  if (renewed.length > 0) {
    await run("docker", [...compose, "restart", "--timeout", "2", ...renewed]);
    const again = await run("docker", [...compose, "up", "--detach", "--wait", "--wait-timeout", WAIT_TIMEOUT]);
    if (again.code !== 0) throw new Error(await explain(compose, again.stderr));
  }
  await mendEvidence(metadata.compose_project, stateFolderAt(folder).pipelock.evidence);
  ownedFile(join(folder, "metadata.json"), `${JSON.stringify({ ...metadata, created_at: before?.["created_at"] ?? new Date().toISOString() }, null, 2)}\n`, me);
  await record(folder, composeFile, metadata.compose_project);
});

/** What a later look compares with; written last, so that a failed `up` is none. */
async function record(folder: string, composeFile: string, project: string): Promise<void> {
  const containers = (await lookAtContainers(project)) ?? [];
  const { BOTTLE_REPAIR: repair, BOTTLE_AGENT_REPAIR: agentRepair } = process.env;
  writeApplied(
    folder,
    {
      composeFile: fingerprint(composeFile),
      services: Object.fromEntries(containers.map(({ Config: { Labels } }) => [Labels["com.docker.compose.service"], Labels["com.docker.compose.config-hash"]])),
      files: renderedFiles(stateFolderAt(folder)),
      ...(repair && { repair }),
      ...(agentRepair && { agentRepair }),
    },
    me,
  );
}

/** `compose up`, ended early where a container keeps exiting: without a health check Compose would wait to the end. */
async function upWatched(compose: readonly string[], project: string): Promise<RunResult> {
  const crashing = new AbortController();
  const seen = new Map<string, number>();
  const watch = setInterval(async () => {
    const { stdout } = await run("docker", ["ps", "--all", "--quiet", "--filter", `label=com.docker.compose.project=${project}`, "--filter", "status=restarting"]);
    for (const id of stdout.split("\n").filter(Boolean)) {
      seen.set(id, (seen.get(id) ?? 0) + 1);
      if (seen.get(id)! >= CRASHES_SEEN) crashing.abort();
    }
  }, WATCH_INTERVAL);
  try {
    const up = await run("docker", [...compose, "up", "--detach", "--wait", "--wait-timeout", WAIT_TIMEOUT, "--remove-orphans"], { signal: crashing.signal });
    return crashing.signal.aborted ? { ...up, code: up.code || 1 } : up;
  } finally {
    clearInterval(watch);
  }
}

function previous(path: string): Metadata | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Metadata;
  } catch {
    return undefined;
  }
}

/**
 * The result is checked, not the option: engines that do not know isolated gateways ignore it
 * silently. Before containers start by `ip`, as Node lists no bridge that nothing is attached to;
 * and once they run by Node, as not every machine has `ip`.
 */
async function checkIsolation(metadata: Metadata): Promise<void> {
  for (const { name, id, internal, subnet, engine_subnets } of Object.values(metadata.networks)) {
    if (engine_subnets.length !== 1 || engine_subnets[0] !== subnet) {
      throw new Error(`Docker network ${name}: has ${engine_subnets.join(", ") || "no subnet"} instead of ${subnet}, for which pipelock is configured; remove it (docker network rm ${name}) and run \`pulumi up --refresh\``);
    }
    const bridge = `br-${id.slice(0, 12)}`;
    const listed = (await run("ip", ["-oneline", "address", "show", "dev", bridge])).stdout.match(/(?<=inet6? )[0-9a-f.:]+/g) ?? [];
    const addresses = [...listed, ...(networkInterfaces()[bridge] ?? []).map(({ address }) => address)].filter((address) => !address.startsWith("fe80:"));
    if (internal && addresses.length > 0) {
      throw new Error(
        `Docker network ${name}: the host has the address ${addresses[0]} on it, so the agent could reach the host's ports; ` +
          "the engine does not honour isolated gateways. Docker 28 or newer is needed",
      );
    }
  }
}

/** Each service that failed, with its last log lines; with them what Compose itself said. */
async function explain(compose: readonly string[], stderr: string): Promise<string> {
  const { stdout } = await run("docker", [...compose, "ps", "--all", "--format", "{{.Service}}\t{{.Name}}"]);
  const services = stdout.split("\n").filter(Boolean).map((line) => line.split("\t") as [string, string]);
  const failed = await Promise.all(services.map(([service, container]) => explainContainer(service, container)));
  const said = stderr.split("\n").map((line) => line.trim()).filter((line) => /error|fail|no such|not found|denied|invalid|unhealthy/i.test(line)).slice(-3);
  return [`docker compose up failed${said.length > 0 ? `: ${said.join("; ")}` : ""}`, ...failed.filter((reason) => reason !== undefined)].join("\n");
}
