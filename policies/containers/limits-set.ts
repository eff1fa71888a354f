import { containerRule, value, type Container } from "../lib/containers.ts";
import { isObject } from "../lib/values.ts";

/** Compose's key, its other place under deploy.resources.limits, and an example for the mend. */
const limits = [
  ["cpus", "cpus", "2"],
  ["mem_limit", "memory", "4g"],
  ["pids_limit", "pids", "2048"],
] as const;

export const limitsSet = containerRule({
  name: "limits-set",
  description: "Containers of a bottle have limits of CPU, memory and processes, and bounded logs.",
  severity: "medium",
  check: (container, report) => {
    const deployed = limitsOfDeploy(container);
    for (const [key, deploy, example] of limits) {
      // docker.Container has no input for processes.
      if (key === "pids_limit" && container.file === undefined) continue;
      const given = value(container, key) ?? deployed[deploy];
      if (given === undefined || given === null || !(Number.parseFloat(String(given)) > 0)) report(container.path(key), `is no limit, so one container can take all of the host's; set it, such as ${example}`);
    }
    if (!isBounded(value(container, "logging"))) report(container.path("logging"), "does not bound the logs, which fill the host's disk; use json-file with max-size and max-file, or local, or none");
  },
});

function limitsOfDeploy(container: Container): Record<string, unknown> {
  const deploy = value(container, "deploy");
  const resources = isObject(deploy) ? deploy["resources"] : undefined;
  const given = isObject(resources) ? resources["limits"] : undefined;
  return isObject(given) ? given : {};
}

function isBounded(logging: unknown): boolean {
  if (!isObject(logging)) return false;
  const { driver, options } = logging;
  if (driver === "none" || driver === "local") return true;
  return (driver === undefined || driver === "json-file") && isObject(options) && options["max-size"] !== undefined;
}
