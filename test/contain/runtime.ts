// Whether this engine can run agents under another OCI runtime.
import { BASE_IMAGE } from "../../components/manifest/schema.ts";
import { run } from "../lib/run.ts";

/** @returns why not; undefined: one container has run under it */
export async function runtimeFault(runtime: string): Promise<string | undefined> {
  const { stdout } = await run("docker", ["info", "--format", "{{range $name, $_ := .Runtimes}}{{$name}} {{end}}"]);
  if (!stdout.split(/\s+/).includes(runtime)) return `the engine knows no runtime "${runtime}"`;
  const { code, stderr } = await run("docker", ["run", "--rm", "--network", "none", "--runtime", runtime, BASE_IMAGE, "true"], { timeout: 30_000 });
  return code === 0 ? undefined : `a container does not run under "${runtime}": ${stderr.trim().split("\n").at(-1)?.slice(0, 200)}`;
}
