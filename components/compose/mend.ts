// What `docker compose up` does not mend by itself: it starts what is stopped and makes what is
// missing, but cannot start what is paused, waits in vain for what is unhealthy, and does not see what
// `docker update` or `docker network` changed.
import { compareContainers, type ComposeDocument } from "../drift/containers.ts";
import { lookAtContainers } from "../drift/look.ts";
import { run } from "../machine/run.ts";
import { closeEvidence, evidenceStopped } from "../pipelock/evidence.ts";
import { containerHealth, poll } from "./container.ts";

/** Milliseconds in which a container that was paused must answer: two rounds of health checks. */
const RECOVERY_TIMEOUT = 12_000;
const RESTART_TIMEOUT = 20_000;

/** Run before `up`. Touches only the services that drifted. */
export async function mendContainers(compose: readonly string[], project: string, document: ComposeDocument): Promise<void> {
  const findings = compareContainers(document, (await lookAtContainers(project)) ?? []);
  for (const { kind, container } of findings) {
    if (kind === "paused") {
      await run("docker", ["unpause", container!]);
      // Questions that went unanswered while it was paused count against it; the next answer clears it.
      const fine = await poll(async () => ((await containerHealth(container!)) === "unhealthy" ? undefined : true), RECOVERY_TIMEOUT, 500);
      if (fine === undefined) await restart(container!);
    }
    if (kind === "unhealthy") await restart(container!);
  }
  const changed = new Set(findings.filter(({ kind }) => kind === "changed").map(({ service }) => service));
  if (changed.size === 0) return;
  // Where the file itself is another, Compose sees it, and knows the order.
  const hashes = await composeHashes(compose);
  const containers = (await lookAtContainers(project)) ?? [];
  const unseen = containers.flatMap(({ Config: { Labels } }) => {
    const service = Labels["com.docker.compose.service"]!;
    return changed.has(service) && Labels["com.docker.compose.config-hash"] === hashes.get(service) ? [service] : [];
  });
  if (unseen.length > 0) await run("docker", [...compose, "up", "--detach", "--no-deps", "--force-recreate", ...unseen]);
}

/** Run after `up`: a pipelock that records nothing begins a new chain. */
export async function mendEvidence(project: string, evidence: string): Promise<void> {
  const pipelock = ((await lookAtContainers(project)) ?? []).find(({ Config }) => Config.Labels["com.docker.compose.service"] === "pipelock");
  if (pipelock === undefined || evidenceStopped(evidence, pipelock.State.StartedAt) === undefined) return;
  closeEvidence(evidence);
  await restart(pipelock.Id);
  const fine = await poll(async () => ((await containerHealth(pipelock.Id)) === "healthy" ? true : undefined), RESTART_TIMEOUT);
  if (fine === undefined) throw new Error("pipelock was started again, as it recorded no evidence, and does not become healthy; docker logs says why");
}

async function restart(container: string): Promise<void> {
  await run("docker", ["restart", "--timeout", "2", container]);
}

/** Compose's hash of each service of the file. */
async function composeHashes(compose: readonly string[]): Promise<Map<string, string>> {
  const { stdout } = await run("docker", [...compose, "config", "--hash", "*"]);
  return new Map(stdout.split("\n").filter(Boolean).map((line) => line.split(" ") as [string, string]));
}
