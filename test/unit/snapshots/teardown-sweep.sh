set -u
state='/srv/project/state/review-one'

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || {
  echo "the Docker engine this bottle was made on (${DOCKER_CONTEXT:-$DOCKER_HOST}) does not answer; start it and run pulumi destroy again" >&2
  exit 1
}
ids=$(docker ps --all --quiet --filter label=bottle.instance=9a72f4f4) || exit 1
if [ -n "$ids" ]; then
  out=$(docker rm --force --volumes $(printf '%s
' $ids | sort -u) 2>&1) || { echo "containers of this bottle could not be removed: $out" >&2; exit 1; }
fi
ids=$(docker network ls --quiet --filter label=bottle.instance=9a72f4f4) || exit 1
if [ -n "$ids" ]; then
  out=$(docker network rm $(printf '%s
' $ids | sort -u) 2>&1) || { echo "networks of this bottle could not be removed: $out" >&2; exit 1; }
fi
ids=$(docker volume ls --quiet --filter label=bottle.instance=9a72f4f4) || exit 1
if [ -n "$ids" ]; then
  out=$(docker volume rm --force $(printf '%s
' $ids | sort -u) 2>&1) || { echo "volumes of this bottle could not be removed: $out" >&2; exit 1; }
fi
ids=$(docker images --quiet --no-trunc --filter label=bottle.instance=9a72f4f4) || exit 1
if [ -n "$ids" ]; then
  out=$(docker rmi --force $(printf '%s
' $ids | sort -u) 2>&1) || { echo "images of this bottle could not be removed: $out" >&2; exit 1; }
fi
rm -rf '/run/user/1234/bottle-1234/9a72f4f4'; rmdir '/run/user/1234/bottle-1234' 2>/dev/null
if [ -d "$state" ]; then
  find "$state" -mindepth 1 -maxdepth 1 ! -name 'compose.log*' ! -name 'work-*' ! -name 'audit*.jsonl' ! -name 'evidence' ! -name 'deciding.json' -exec rm -rf {} + || { echo "files under $state could not be removed" >&2; exit 1; }
  rmdir "$state" 2>/dev/null
fi
exit 0
