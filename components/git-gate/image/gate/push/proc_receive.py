"""git's hook proc-receive: what pre-receive let on goes to the upstream; only what that took is reported as pushed."""

import os
import sys

from .. import gitenv, mirror
from ..config import Upstream, load
from ..control import ControlError, record
from ..faults import one_line
from ..run import run
from ..trace import record_push
from .forward import forward
from .packets import read_packets, write_packets
from .pre_receive import refs_recorded, upstream_of
from .updates import Update, parse_update


def main() -> int:
    """The hook's exit status. Protocol: https://git-scm.com/docs/githooks#proc-receive."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    read_packets(stdin)
    write_packets(stdout, [b"version=1"])
    lines = [packet.decode("utf-8", "surrogateescape") for packet in read_packets(stdin)]
    try:
        verdicts = _forward([parse_update(line) for line in lines])
    except Exception as error:  # noqa: BLE001 - no way of failing may look like a push
        verdicts = {line.split(" ", 2)[2]: one_line(f"git-gate: {error}") for line in lines}
    report = [f"ng {ref} {reason}" if reason else f"ok {ref}" for ref, reason in verdicts.items()]
    write_packets(stdout, [line.encode("utf-8", "surrogateescape") for line in report])
    return 0


def _forward(updates: list[Update]) -> dict[str, str | None]:
    upstream = upstream_of(load(), os.environ.get("GIT_GATE_UPSTREAM", ""))
    commits = _count(upstream, updates)
    refs = refs_recorded(updates)
    # Before it goes out: there is evidence of it, whatever happens then.
    record("push-forwarding", upstream=upstream.id, refs=refs, commits=commits)
    rewrites = {update.ref for update in updates if _rewrites(upstream, update)}
    verdicts = forward(upstream, updates, rewrites)
    taken = [update for update in updates if verdicts[update.ref] is None]
    if taken:
        _take(upstream, taken)
    reason = next((reason for reason in verdicts.values() if reason), None)
    outcome = "accepted" if reason is None else "failed"
    try:
        record_push(upstream=upstream.id, refs=refs, commits=commits, outcome=outcome, reason=reason, findings=[])
    except ControlError as error:
        print(f"git-gate: {error}", file=sys.stderr)
    return verdicts


def _rewrites(upstream: Upstream, update: Update) -> bool:
    if update.creates:
        return False
    if update.deletes or update.ref.startswith("refs/tags/"):
        return True
    argv = ["git", "--git-dir", upstream.mirror, "merge-base", "--is-ancestor", update.old, update.new]
    return run(argv, gitenv.plain(), timeout=120).code != 0


def _count(upstream: Upstream, updates: list[Update]) -> int:
    new = [update.new for update in updates if not update.deletes]
    if not new:
        return 0
    data = "".join(f"{value}\n" for value in (*new, "--not", "--all")).encode()
    return int(mirror.git(upstream, "rev-list", "--count", "--stdin", data=data))


def _take(upstream: Upstream, updates: list[Update]) -> None:
    """The mirror's refs follow. Where that fails, the next sync brings them."""
    commands = "".join(
        f"delete {update.ref}\n" if update.deletes else f"update {update.ref} {update.new}\n" for update in updates
    )
    try:
        with mirror.Lock(upstream):
            mirror.git(upstream, "update-ref", "--stdin", data=commands.encode("utf-8", "surrogateescape"))
    except (mirror.GitError, OSError) as error:
        print(f"git-gate: {error}", file=sys.stderr)
