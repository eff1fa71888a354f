"""git's hook pre-receive: rules and scan, while what was received is still in quarantine. Exit status 0 lets it on."""

import os
import sys

from .. import ask, gitenv, mirror
from ..config import Config, Upstream, load
from ..control import ControlError
from ..faults import one_line
from ..node import ConfigError
from ..run import run
from ..scan.gitleaks import ScanError
from ..scan.scan import scan
from ..trace import record_push, take_over
from .rules import not_named, refusals
from .told import WITHHELD, findings_told, names_with_secrets, recorded
from .updates import Update, UpdateError, parse_update

_QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")


class Refused(Exception):
    """`lines`: for the terminal. `reason`: for the event. `way`: how to ask for it, where that helps."""

    def __init__(self, lines: list[str], reason: str, findings=(), commits: int | None = None, way=None) -> None:
        super().__init__(reason)
        self.lines = lines
        self.reason = reason
        self.findings = list(findings)
        self.commits = commits
        self.way = way


def main() -> int:
    """The hook's exit status. Whatever goes wrong refuses the push."""
    updates: list[Update] = []
    name = os.environ.get("GIT_GATE_UPSTREAM", "")
    try:
        take_over()
        config = load()
        upstream = upstream_of(config, name)
        lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\n")[:-1]
        updates += map(parse_update, lines)
        _check(config, upstream, updates)
        return 0
    except Refused as refused:
        return _refuse(name, updates, refused)
    except UpdateError as error:
        return _refuse(name, [], Refused([str(error)], str(error)))
    except ScanError as error:
        lines = [f"the scan for secrets could not be done ({one_line(str(error))}), so nothing was pushed."]
        lines += ["Push less at once; if that does not help, tell a human."]
        return _refuse(name, updates, Refused(lines, f"scan: {error}"))
    except Exception as error:  # noqa: BLE001 - no way of failing may let a push on
        reason = f"{type(error).__name__}: {error}"
        return _refuse(name, updates, Refused([f"it failed, so nothing was pushed: {one_line(reason)[:300]}"], reason))


def upstream_of(config: Config, name: str) -> Upstream:
    """Raises ConfigError where it went since the connection began."""
    for upstream in config.upstreams:
        if upstream.id == name:
            return upstream
    raise ConfigError(f"the upstream {name} is no longer there")


def _check(config: Config, upstream: Upstream, updates: list[Update]) -> None:
    env = gitenv.plain() | {key: os.environ[key] for key in _QUARANTINE if key in os.environ}
    env["GIT_DIR"] = upstream.mirror

    def type_of(value: str) -> tuple[str, str] | None:
        data = f"{value}\n{value}^{{}}\n".encode()
        result = run(["git", "cat-file", "--batch-check=%(objecttype)"], env, timeout=30, data=data)
        found = result.out.decode("ascii", "replace").split("\n")
        return (found[0], found[1]) if len(found) == 3 and " " not in found[0] + found[1] else None

    def is_ancestor(old: str, new: str) -> bool:
        return run(["git", "merge-base", "--is-ancestor", old, new], env, timeout=120).code == 0

    found = refusals(upstream, config.limits, updates, mirror.refs(upstream), type_of, is_ancestor)
    if found:
        reasons = [f"{ref}: {reason}" for ref, reason in found.items()]
        names = not_named(upstream, updates)
        way = ask.for_refs(config, upstream, **names) if any(names.values()) else None
        to_ask = [] if way is None else [ask.told(way)]
        raise Refused([*reasons[:20], *to_ask, "nothing was pushed."], reasons[0], way=way)
    _check_sizes(config, env)
    new = {update.ref: update.new for update in updates if not update.deletes}
    scanned = scan(env, new, config.gitleaks, config.limits.scan_seconds)
    if scanned.findings:
        reason = f"{len(scanned.findings)} secrets"
        raise Refused(findings_told(scanned.findings), reason, scanned.findings, scanned.commits)


def _check_sizes(config: Config, env: dict[str, str]) -> None:
    """Looks at all that was received, whether a ref leads to it or not."""
    if "GIT_QUARANTINE_PATH" not in env:
        return
    alone = {key: value for key, value in env.items() if key != "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
    argv = ["git", "cat-file", "--batch-check=%(objectsize) %(objectname)"]
    argv += ["--batch-all-objects", "--unordered", "--buffer"]
    result = run(argv, alone, timeout=config.limits.scan_seconds)
    if result.code != 0:
        raise ScanError(f"what was received cannot be listed: {result.err.strip()[:200]}")
    for line in result.out.splitlines():
        size, name = line.split()
        if int(size) > config.limits.file_bytes:
            reason = (
                f"an object of {int(size)} bytes ({name.decode()[:12]}), and {config.limits.file_bytes} are the most; "
                "take the file out of the commits, or a human raises bottle:git.limits.file"
            )
            raise Refused([f"{reason}. git rev-list --objects --all names it.", "nothing was pushed."], reason)


def _refuse(name: str, updates: list[Update], refused: Refused) -> int:
    for line in refused.lines:
        print(f"git-gate: {line}", file=sys.stderr)
    withheld = names_with_secrets(refused.findings)
    try:
        record_push(
            upstream=name,
            refs=refs_recorded(updates, withheld),
            commits=refused.commits,
            outcome="refused",
            reason=refused.reason,
            findings=recorded(refused.findings),
            ask=refused.way,
        )
    except ControlError as error:
        print(f"git-gate: {error}", file=sys.stderr)
    return 1


def refs_recorded(updates: list[Update], withheld: set[str] = frozenset()) -> list[dict]:
    """As they stand in an event; a name that is a finding is left out."""
    return [
        {"ref": WITHHELD if update.ref in withheld else update.ref, "old": update.old, "new": update.new}
        for update in updates
    ]
