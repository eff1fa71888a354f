// How scripts on the host act on the running git-gate.
import { containerHealth, poll } from "../compose/container.ts";
import { run } from "../machine/run.ts";
import { REVISION_FILE } from "../machine/secrets.ts";
import { gatePaths } from "./config.ts";

const RESTART_TIMEOUT = 20_000;

/** Restarts git-gate, which mounts its folders anew, and waits until it serves. */
export async function restartGate(container: string): Promise<void> {
  await run("docker", ["restart", "--timeout", "2", container]);
  const healthy = await poll(async () => ((await containerHealth(container)) === "healthy" ? true : undefined), RESTART_TIMEOUT);
  if (healthy === undefined) throw new Error("git-gate did not come back after a restart; look at its log (docker logs) and run `pulumi up` again");
}

/** Revision of the secrets as git-gate sees them. */
export async function seenRevision(container: string): Promise<string> {
  return (await run("docker", ["exec", container, "cat", `${gatePaths.secrets}/${REVISION_FILE}`])).stdout;
}

/** Whether git-gate says that this is the configuration it holds; see image/README.md. */
export async function holdsGateConfig(container: string, config: string): Promise<boolean> {
  const { revision } = JSON.parse(config) as { revision: string };
  const { stdout } = await run("docker", ["exec", container, "cat", gatePaths.status]);
  return stdout.includes(`"revision": "${revision}"`);
}
