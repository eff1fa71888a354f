// What `pulumi destroy` runs. Self-contained POSIX sh, kept in Pulumi's state: it needs neither the
// repo nor the state folder, only sh and docker, and works from labels alone. Pure.
import type { Identity } from "../identity.ts";
import { shellQuote } from "../script.ts";
import { keptFiles } from "../state-folder.ts";

/** Success reported on an engine that is not there would leave a live bottle behind. */
const engineAnswers = `
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || {
  echo "the Docker engine this bottle was made on (\${DOCKER_CONTEXT:-$DOCKER_HOST}) does not answer; start it and run pulumi destroy again" >&2
  exit 1
}`;

/**
 * The guard's delete: logs to compose.log, the agent's work saved, then the project down. Logs and
 * work are best effort; volumes stay (a replaced network must not take them).
 *
 * @param saveWork script that saves the agent's work.
 */
export function renderDown(identity: Identity, stateRoot: string, saveWork: string): string {
  const project = shellQuote(identity.composeProject);
  return `set -u; umask 077
state=${shellQuote(stateRoot)}
${engineAnswers}
limited() { if command -v timeout >/dev/null; then timeout "$@"; else shift; "$@"; fi; } # macOS has no timeout
mkdir -p "$state"
{ echo "== $(date -u +%Y-%m-%dT%H:%M:%SZ) ${identity.composeProject}"
  limited 60 docker compose -p ${project} logs --timestamps --no-color 2>&1 || echo "(the logs could not be read in full)"
} >> "$state/compose.log" 2>/dev/null || echo "compose.log could not be written" >&2
(
${saveWork}
) >&2 || true
docker compose -p ${project} down --remove-orphans --timeout 2 >/dev/null 2>&1 || true
${removeAll("containers", `docker ps --all --quiet ${filter(identity)}`, "docker rm --force --volumes")}
${noStrangers(identity)}
`;
}

/** Somebody's debugger or monitor on a network would make its removal time out without a word. */
function noStrangers(identity: Identity): string {
  return `for network in $(docker network ls --format '{{.Name}}' ${filter(identity)}); do
  for container in $(docker network inspect --format '{{range .Containers}}{{.Name}} {{end}}' "$network"); do
    echo "container $container is still on network $network and is not of this bottle; docker network disconnect $network $container, then run pulumi destroy again" >&2
    exit 1
  done
done`;
}

/**
 * The sweeper's delete, the last of all: whatever still carries the instance's label, the tokens in
 * memory, and the bottle's files but for logs and saved work. Fails, naming it, where something stays.
 *
 * @param memoryFolder host folder in memory, where there is one.
 */
export function renderSweep(identity: Identity, stateRoot: string, memoryFolder: string | undefined): string {
  const kept = keptFiles.map((pattern) => `! -name ${shellQuote(pattern)}`).join(" ");
  return `set -u
state=${shellQuote(stateRoot)}
${engineAnswers}
${removeAll("containers", `docker ps --all --quiet ${filter(identity)}`, "docker rm --force --volumes")}
${removeAll("networks", `docker network ls --quiet ${filter(identity)}`, "docker network rm")}
${removeAll("volumes", `docker volume ls --quiet ${filter(identity)}`, "docker volume rm --force")}
${removeAll("images", `docker images --quiet --no-trunc ${filter(identity)}`, "docker rmi --force")}
${memoryFolder === undefined ? "" : `rm -rf ${shellQuote(memoryFolder)}; rmdir ${shellQuote(memoryFolder.replace(/\/[^/]+$/, ""))} 2>/dev/null`}
if [ -d "$state" ]; then
  find "$state" -mindepth 1 -maxdepth 1 ${kept} -exec rm -rf {} + || { echo "files under $state could not be removed" >&2; exit 1; }
  rmdir "$state" 2>/dev/null
fi
exit 0
`;
}

function filter(identity: Identity): string {
  return `--filter label=bottle.instance=${identity.instance}`;
}

/** Removes what a listing names and fails where it cannot. */
function removeAll(what: string, list: string, remove: string): string {
  return `ids=$(${list}) || exit 1
if [ -n "$ids" ]; then
  out=$(${remove} $(printf '%s\n' $ids | sort -u) 2>&1) || { echo "${what} of this bottle could not be removed: $out" >&2; exit 1; }
fi`;
}
