// What the running pipelock says of itself.
import { createHash } from "node:crypto";
import { run } from "../machine/run.ts";

/** SHA-256 by which pipelock names a configuration. */
export function configHash(config: string): string {
  return createHash("sha256").update(config).digest("hex");
}

/** @param since RFC 3339. */
export async function logsSince(container: string, since: string): Promise<string> {
  const { stdout, stderr } = await run("docker", ["logs", "--since", since, container]);
  return stdout + stderr;
}

/** Whether this is the configuration that pipelock last said it took, at start or reload. */
export async function holdsConfig(container: string, config: string): Promise<boolean> {
  const { stdout: started } = await run("docker", ["inspect", "--format", "{{.State.StartedAt}}", container]);
  return [...(await logsSince(container, started.trim())).matchAll(/"[a-z_]*hash":"([0-9a-f]{64})"/g)].at(-1)?.[1] === configHash(config);
}
