/**
 * Arguments for git that fetch an agent's branches from its workspace, over `docker exec`.
 * `ext::` words: https://git-scm.com/docs/git-remote-ext. Nothing of the repository's own configuration, and no hook,
 * is in force for it; what comes is checked (fsck), since nobody knows who wrote it.
 *
 * @param outputs the stack's, see attachCommand
 * @param branches names; none: all of them
 * @throws Error if the attach line does not name the container
 */
export function fetchArguments(outputs: { attach: string; agentContainer: string }, stack: string, branches: readonly string[]): string[] {
  const words = outputs.attach.split(" ");
  const container = words.indexOf(outputs.agentContainer);
  if (container < 0) throw new Error(`the attach line does not name ${outputs.agentContainer}: ${outputs.attach}`);
  const docker = words.slice(0, container).filter((word) => word !== "-it");
  const escape = (word: string) => word.replaceAll("%", "%%").replaceAll(" ", "% ");
  const url = `ext::${[...docker, "-i", outputs.agentContainer, "git", "-c", "safe.directory=*", "upload-pack", "/workspace"].map(escape).join(" ")}`;
  const slug = stack.replace(/[^A-Za-z0-9]+/g, "-").toLowerCase();
  const specs = branches.length === 0 ? [`+refs/heads/*:refs/remotes/bottle-${slug}/*`] : branches.map((branch) => `+refs/heads/${branch}:refs/remotes/bottle-${slug}/${branch}`);
  const settings = ["protocol.ext.allow=always", "fetch.fsckObjects=true", "core.hooksPath=/dev/null", "core.fsmonitor=false"];
  return [...settings.flatMap((setting) => ["-c", setting]), "fetch", "--no-recurse-submodules", "--no-tags", "--no-write-fetch-head", "--refmap=", url, ...specs];
}
