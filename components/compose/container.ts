// The running container of a service, found by Compose's own labels.
import { run } from "../machine/run.ts";

/** @returns container id, or undefined where the service is not running. */
export async function runningContainer(project: string, service: string): Promise<string | undefined> {
  const { stdout } = await run("docker", [
    ...["ps", "--quiet", "--no-trunc", "--filter", `label=com.docker.compose.project=${project}`],
    ...["--filter", `label=com.docker.compose.service=${service}`, "--filter", "status=running"],
  ]);
  return stdout.split("\n").find(Boolean);
}

/** `healthy`, `unhealthy` or `starting`; empty where the container has no health check, or is not there. */
export async function containerHealth(container: string): Promise<string> {
  return (await run("docker", ["inspect", "--format", "{{if .State.Health}}{{.State.Health.Status}}{{end}}", container])).stdout.trim();
}

/**
 * SIGHUP to the service, which runs under an init, from inside. After `docker kill`, with whatever signal, Docker takes
 * the container for stopped by hand: it starts it again neither after a crash nor after a restart of the engine.
 */
export async function hangUp(container: string): Promise<void> {
  await run("docker", ["exec", container, "sh", "-c", "kill -HUP 1"]);
}

/**
 * Asks until the answer is there.
 *
 * @param timeout milliseconds.
 * @returns the answer, or undefined after the timeout.
 */
export async function poll<T>(ask: () => Promise<T | undefined>, timeout: number, interval = 100): Promise<T | undefined> {
  const end = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}
