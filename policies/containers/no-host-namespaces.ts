import { containerRule, textList, value } from "../lib/containers.ts";

/** What each may be; anything else is the host's namespace, or another container's. */
const own: Readonly<Record<string, readonly string[]>> = {
  network_mode: ["none"],
  pid: [],
  ipc: ["private", "none"],
  uts: [],
  userns_mode: [],
  cgroup: ["private"],
  cgroup_parent: [],
};

export const noHostNamespaces = containerRule({
  name: "no-host-namespaces",
  description: "Containers of a bottle have network, pid, ipc, uts, user and cgroup namespaces of their own.",
  severity: "critical",
  check: (container, report) => {
    for (const [key, allowed] of Object.entries(own)) {
      const given = value(container, key);
      if (given === undefined || given === null || given === "" || allowed.includes(String(given))) continue;
      report(container.path(key), `shares a namespace with the host or with another container; remove it${allowed.length > 0 ? ` (${allowed.join(" or ")} is fine)` : ""}`);
    }
    textList(container, "extra_hosts").forEach((entry) => {
      if (entry.includes("host-gateway")) report(container.path("extra_hosts"), "gives the container a name for the host itself; remove the entry with host-gateway");
    });
  },
});
