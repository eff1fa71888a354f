set -u; umask 077
state='/srv/project/state/review-one'

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || {
  echo "the Docker engine this bottle was made on (${DOCKER_CONTEXT:-$DOCKER_HOST}) does not answer; start it and run pulumi destroy again" >&2
  exit 1
}
limited() { if command -v timeout >/dev/null; then timeout "$@"; else shift; "$@"; fi; } # macOS has no timeout
mkdir -p "$state"
{ echo "== $(date -u +%Y-%m-%dT%H:%M:%SZ) bottle-review-one-9a72f4f4"
  limited 60 docker compose -p 'bottle-review-one-9a72f4f4' logs --timestamps --no-color 2>&1 || echo "(the logs could not be read in full)"
} >> "$state/compose.log" 2>/dev/null || echo "compose.log could not be written" >&2
(
echo 'save the work'
) >&2 || true
docker compose -p 'bottle-review-one-9a72f4f4' down --remove-orphans --timeout 2 >/dev/null 2>&1 || true
ids=$(docker ps --all --quiet --filter label=bottle.instance=9a72f4f4) || exit 1
if [ -n "$ids" ]; then
  out=$(docker rm --force --volumes $(printf '%s
' $ids | sort -u) 2>&1) || { echo "containers of this bottle could not be removed: $out" >&2; exit 1; }
fi
for network in $(docker network ls --format '{{.Name}}' --filter label=bottle.instance=9a72f4f4); do
  for container in $(docker network inspect --format '{{range .Containers}}{{.Name}} {{end}}' "$network"); do
    echo "container $container is still on network $network and is not of this bottle; docker network disconnect $network $container, then run pulumi destroy again" >&2
    exit 1
  done
done
