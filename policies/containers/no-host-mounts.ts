import { containerRule } from "../lib/containers.ts";
import { hostPaths, within } from "../lib/mounts.ts";

/** Nothing in these is mounted; `/run/user/UID/…` and `/dev/shm/…` hold people's own files. */
const systemFolders = ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var/lib/containerd", "/var/lib/docker", "/var/run"];
const ownFolders = [/^\/run\/user\/\d+\/./, /^\/dev\/shm\/./];
/** As a whole too broad: everybody's files, or a person's. */
const wholeFolders = [/^\/[^/]*$/, /^\/home\/[^/]+$/, /^\/Users\/[^/]+$/];
/** An engine's socket anywhere, and where people keep keys and logins. */
const anywhere = /(^|\/)((docker|containerd|podman|crio|buildkitd)\.sock|\.(ssh|aws|azure|gnupg|kube|docker|netrc|git-credentials|pulumi))(\/|$)|\/\.config\/(gcloud|gh|bottle)(\/|$)/;

export const noHostMounts = containerRule<{ allowed: string[] }>({
  name: "no-host-mounts",
  description: "No container of a bottle sees the Docker socket, the host's root, system folders or a person's keys.",
  severity: "critical",
  config: { allowed: { type: "array", items: { type: "string" }, default: [], description: "Host folders that may be mounted all the same, with all in them." } },
  check: (container, report, { allowed }) => {
    for (const { path, source } of hostPaths(container)) {
      if (source === undefined) report(path, "is not a kind of mount that can be checked; use a bind mount with an absolute source, a plain named volume or a tmpfs");
      else if (/^~|^\.\.(\/|$)/.test(source)) report(path, "is relative to somebody's home or to a folder above; write it as an absolute path");
      else if (!allowed.some((folder) => within(source, folder)) && isSensitive(source)) {
        report(path, "mounts the host's root, a system folder, an engine's socket or a person's keys; mount the one folder that the container needs");
      }
    }
    if (container.spec["volumes_from"] !== undefined) report(container.path("volumes_from"), "takes over another container's mounts; name the mounts themselves");
    if (container.spec["use_api_socket"]) report(container.path("use_api_socket"), "hands the container the engine's socket, and with it the host; remove it");
  },
});

function isSensitive(source: string): boolean {
  if (anywhere.test(source) || wholeFolders.some((pattern) => pattern.test(source))) return true;
  return systemFolders.some((folder) => within(source, folder)) && !ownFolders.some((pattern) => pattern.test(source));
}
