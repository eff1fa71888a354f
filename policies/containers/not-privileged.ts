import { containerRule, truth, value } from "../lib/containers.ts";
import { isObject, list } from "../lib/values.ts";

/** Ways to the host's devices. */
const deviceKeys = ["devices", "device_cgroup_rules", "gpus", "deviceRequests"];

export const notPrivileged = containerRule({
  name: "not-privileged",
  description: "No container of a bottle is privileged or sees the host's devices.",
  severity: "critical",
  check: (container, report) => {
    if (truth(value(container, "privileged")) !== false) report(container.path("privileged"), "gives the container the host; remove it");
    for (const key of deviceKeys) {
      const given = value(container, key);
      if (given !== undefined && given !== null && !(Array.isArray(given) && given.length === 0)) report(container.path(key), "gives the container devices of the host; remove it");
    }
    if (reservesDevices(value(container, "deploy"))) report(container.path("deploy"), "reserves devices of the host for the container; remove resources.reservations.devices");
    for (const key of ["post_start", "pre_stop"]) {
      const given = value(container, key);
      if (Array.isArray(given) && given.length > 0) report(container.path(key), "runs a hook that may be privileged and root whatever the service is; remove it");
    }
  },
});

function reservesDevices(deploy: unknown): boolean {
  const resources = isObject(deploy) ? deploy["resources"] : undefined;
  const reservations = isObject(resources) ? resources["reservations"] : undefined;
  return isObject(reservations) && list(reservations["devices"]).length > 0;
}
