// The system's own store of roots in an agent with a writable root.
import { run } from "../machine/run.ts";

/**
 * Makes the store anew with the CAs that are mounted beside it, by the distribution's own tool: so
 * they stay when packages come and go. An image without that tool has the variables alone.
 *
 * @throws Error with the tool's message.
 */
export async function updateSystemStore(container: string): Promise<void> {
  const script = "! command -v update-ca-certificates >/dev/null || update-ca-certificates >/dev/null";
  const { code, stderr } = await run("docker", ["exec", "--user", "0:0", container, "sh", "-c", script], { timeout: 60_000 });
  if (code !== 0) throw new Error(`provisioning ${container}: update-ca-certificates failed: ${stderr.trim().split("\n").at(-1)}`);
}
