// Why a container does not run, in its own last words.
import { run } from "../machine/run.ts";

const LAST_LINES = "15";

/**
 * @param service name as people know it.
 * @returns state, exit code and last log lines; undefined where the container runs and is healthy, or is not there.
 */
export async function explainContainer(service: string, container: string): Promise<string | undefined> {
  const { code, stdout } = await run("docker", ["inspect", "--format", "{{.State.Status}}\t{{if .State.Health}}{{.State.Health.Status}}{{end}}\t{{.State.ExitCode}}", container]);
  if (code !== 0) return undefined;
  const [state, health, exitCode] = stdout.trim().split("\t");
  if (state === "created" || (state === "running" && (!health || health === "healthy"))) return undefined;
  const logs = await run("docker", ["logs", "--tail", LAST_LINES, container]);
  const lines = (logs.stdout + logs.stderr).trim().split("\n").map((line) => `    ${line.slice(0, 400)}`);
  return `service ${service} is ${state === "running" ? health : `${state} (exit code ${exitCode})`}; its last lines:\n${lines.join("\n")}`;
}
