// How scripts on the host ask egress to re-read its files, and learn whether it did.
import { hangUp, poll, runningContainer } from "../compose/container.ts";
import { run } from "../machine/run.ts";
import { egressPaths } from "./service.ts";

/** What egress says of itself; see image/README.md. */
export interface EgressStatus {
  readonly revision: string | null;
  readonly tokens_revision: string | null;
  readonly tokens: readonly string[];
  readonly missing_tokens: readonly string[];
  readonly error: string | null;
  readonly loaded_at: string;
}

const RELOAD_TIMEOUT = 5_000;
const RESTART_TIMEOUT = 20_000;

/**
 * Sends SIGHUP and waits until egress's status satisfies the caller.
 *
 * @returns undefined where egress is not running, else its last status and whether it satisfied.
 */
export async function reloadEgress(project: string, satisfied: (status: EgressStatus) => boolean): Promise<{ readonly ok: boolean; readonly status?: EgressStatus } | undefined> {
  const container = await runningContainer(project, "egress");
  if (container === undefined) return undefined;
  const before = await egressStatus(container);
  await hangUp(container);
  let last: EgressStatus | undefined;
  const ok = await poll(async () => {
    last = await egressStatus(container);
    if (last === undefined || last.loaded_at === before?.loaded_at) return undefined;
    return satisfied(last) || last.error !== null ? satisfied(last) : undefined;
  }, RELOAD_TIMEOUT);
  // Taken down meanwhile: it will start with the new files.
  if (ok !== true && (await runningContainer(project, "egress")) !== container) return undefined;
  return { ok: ok === true, status: last };
}

/** Restarts egress, which mounts its folders anew, and waits as {@link reloadEgress} does. */
export async function restartEgress(project: string, satisfied: (status: EgressStatus) => boolean): Promise<{ readonly ok: boolean; readonly status?: EgressStatus } | undefined> {
  const container = await runningContainer(project, "egress");
  if (container === undefined) return undefined;
  await run("docker", ["restart", "--timeout", "2", container]);
  let last: EgressStatus | undefined;
  const ok = await poll(async () => ((last = await egressStatus(container)) !== undefined && satisfied(last) ? true : undefined), RESTART_TIMEOUT);
  return { ok: ok === true, status: last };
}

/** Whether egress says so already; one that does not run starts with what lies there. */
export async function egressHolds(project: string, satisfied: (status: EgressStatus) => boolean): Promise<boolean> {
  const container = await runningContainer(project, "egress");
  if (container === undefined) return true;
  const status = await egressStatus(container);
  return status !== undefined && satisfied(status);
}

export async function egressStatus(container: string): Promise<EgressStatus | undefined> {
  const { code, stdout } = await run("docker", ["exec", container, "cat", egressPaths.status]);
  try {
    return code === 0 ? (JSON.parse(stdout) as EgressStatus) : undefined;
  } catch {
    return undefined;
  }
}
