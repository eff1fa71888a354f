// What the agent did and nobody pushed, saved by `pulumi destroy`. Rendered to POSIX sh that is kept
// in Pulumi's state and needs only sh and docker: not the repo, not a running agent. Pure.
import type { Identity } from "../identity.ts";
import { shellQuote } from "../script.ts";

/** Tells workspace volumes from others of the bottle. */
export const workspaceLabels: Readonly<Record<string, string>> = { "bottle.volume": "workspace" };

/** Seconds until saving gives up: it may delay a teardown, never block it. */
const TIMEOUT = 120;
/** An agent that fills its disk is not to fill the host's: 2 GiB, in ulimit's blocks of 512 bytes. */
const BLOCKS = 2 ** 22;

export interface SaveWorkInput {
  readonly identity: Identity;
  /** The agent's image: its /workspace is what the volume was seeded with. */
  readonly image: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Runs in a container of the agent's own image without network, capabilities or a writable
 * workspace: the repository's configuration can name programs (filters), and they run here, not on
 * the host. Prints one artefact: a git bundle of every commit that neither the seed nor a remote
 * has, with what is uncommitted as branch bottle/uncommitted; or a tar.gz where there are several, or
 * no git. Prints nothing where there is nothing to save.
 */
const inContainer = `
umask 077
out=/tmp/out; mkdir -p $out
g() { git -c safe.directory='*' -c core.fsmonitor=false -c core.hooksPath=/dev/null -c core.untrackedCache=false "$@"; }
lay() { # DIRECTORY BARE: a repository beside it, with its objects and none of its settings, filters or hooks
  ( cd "$1" && objects=$(g rev-parse --path-format=absolute --git-path objects) || exit 1
    g init -q --bare --object-format="$(g rev-parse --show-object-format)" "$2" && echo "$objects" >> "$2/objects/info/alternates"
    index=$(g rev-parse --path-format=absolute --git-path index)
    cp "$index" "$2/index"; cp "$(dirname "$index")"/sharedindex.* "$2"; cp "$(g rev-parse --path-format=absolute --git-path info/exclude)" "$2/info/"
    true ) 2>/dev/null; }
tree_of() ( # DIRECTORY BARE: the tree that committing everything would give
  cd "$1" && export GIT_DIR="$2" GIT_WORK_TREE="$1" && g -c core.bare=false add -A --ignore-errors . >/dev/null; g write-tree )
repo() { # NAME DIRECTORY SEED
  ( t=/tmp/t.$1; mkdir -p $t; cd "$2" && lay "$2" $t/bare || exit 1
    { g rev-parse --remotes; [ ! -e "$3/.git" ] || { g -C "$3" for-each-ref --format='%(objectname)'; g -C "$3" rev-parse -q --verify HEAD; }; } > $t/elsewhere 2>/dev/null
    tree=$(tree_of "$2" $t/bare) || exit 1
    head=$(g rev-parse -q --verify HEAD)
    clean=$(g rev-parse -q --verify 'HEAD^{tree}' || g hash-object -t tree /dev/null)
    seed=; [ ! -e "$3/.git" ] || { lay "$3" $t/seed && seed=$(tree_of "$3" $t/seed); }
    export GIT_AUTHOR_NAME=bottle GIT_AUTHOR_EMAIL=bottle@bottle.invalid GIT_COMMITTER_NAME=bottle GIT_COMMITTER_EMAIL=bottle@bottle.invalid
    { g for-each-ref --format='%(objectname) %(refname)' refs/heads
      # What lay there uncommitted from the start is no work of the agent's.
      if [ "$tree" != "$clean" ] && [ "$tree" != "$seed" ]; then
        echo "$(g -C $t/bare commit-tree "$tree" \${head:+-p "$head"} -m 'Uncommitted work, saved by pulumi destroy') refs/heads/bottle/uncommitted"
      fi
      n=0; for id in $(g log -g --format=%H refs/stash -- 2>/dev/null); do n=$((n + 1)); echo "$id refs/heads/bottle/stash-$n"; done
      g symbolic-ref -q HEAD >/dev/null || [ -z "$head" ] || echo "$head refs/heads/bottle/detached"; } > $t/refs
    while read -r id; do ! g cat-file -e "$id^{commit}" 2>/dev/null || echo "^$id"; done < $t/elsewhere | sort -u > $t/known
    while read -r id ref; do g -C $t/bare update-ref "$ref" "$id" || exit 1; done < $t/refs
    if [ -n "$(g -C $t/bare rev-list --max-count=1 --branches --stdin < $t/known)" ]; then
      g -C $t/bare bundle create -q "$out/$1.bundle" --branches --stdin < $t/known
    fi ) || { echo "git cannot read $2; its files are saved as they are"; tar -C "$2" -cf "$out/$1.tar" .; }
}
loose() { # what lies in no repository, where it differs from the seed
  ( cd /volume || exit 0
    set --; for d in */; do [ ! -e "$d.git" ] || set -- "$@" --exclude="\${d%/}"; done
    diff -rq "$@" /workspace /volume >/dev/null 2>&1 || tar -cf "$out/files.tar" "$@" . 2>/dev/null )
}
if command -v git >/dev/null 2>&1; then
  if [ -e /volume/.git ]; then repo workspace /volume /workspace; elif [ -n "$(ls -A /volume)" ]; then loose; fi
  for d in /volume/*/; do n=$(basename "$d"); [ ! -e "$d.git" ] || repo "$(echo "$n" | tr -c 'A-Za-z0-9\\n' _)" "$d" "/workspace/$n"; done
else
  loose
fi >&2
set -- $out/*
[ -e "$1" ] || exit 0
if [ $# = 1 ] && [ "\${1%.bundle}" != "$1" ]; then cat "$1"; else tar -C $out -czf - .; fi
`;

/**
 * Renders the script. It expects `$state` to be the bottle's folder and a function `limited SECONDS COMMAND`, and writes
 * `work-<UTC time>.bundle` (or `.tar.gz`) there, 0600, one for each workspace volume with work.
 */
export function renderSaveWork({ identity, image, uid, gid }: SaveWorkInput): string {
  return `umask 077
for volume in $(docker volume ls --quiet --filter label=bottle.instance=${identity.instance} --filter label=bottle.volume=${workspaceLabels["bottle.volume"]}); do
  part="$state/.work.$$"
  ( ulimit -f ${BLOCKS}; limited ${TIMEOUT} docker run --rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges:true --user ${uid}:${gid} \\
    --label bottle.instance=${identity.instance} --pull never --env HOME=/tmp --volume /tmp --volume "$volume:/volume:ro" --entrypoint sh \\
    ${shellQuote(image)} -c ${shellQuote(inContainer)} ) > "$part" || echo "the work in volume $volume could not be saved in full" >&2
  if [ -s "$part" ]; then
    case "$(head -c 2 "$part")" in '# ') kind=bundle ;; *) kind=tar.gz ;; esac
    name="$state/work-$(date -u +%Y%m%dT%H%M%SZ)"
    n=; while [ -e "$name\${n:+-$n}.$kind" ]; do n=$(( \${n:-1} + 1 )); done
    mv "$part" "$name\${n:+-$n}.$kind" && echo "the agent's unsaved work is in $name\${n:+-$n}.$kind" >&2
  else
    rm -f "$part"
  fi
done`;
}
