import { containerRule, truth, value } from "../lib/containers.ts";

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
    for (const key of ["post_start", "pre_stop"]) {
      const given = value(container, key);
      if (Array.isArray(given) && given.length > 0) report(container.path(key), "runs a hook that may be privileged and root whatever the service is; remove it");
    }
  },
});
