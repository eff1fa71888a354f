"""On to the upstream: git's own push, its words relayed, its verdicts by ref."""

import re
import subprocess
import sys
import threading

from .. import gitenv
from ..config import Upstream
from ..faults import fault_of, one_line
from ..run import Result, kill_now
from .updates import Update

# Seconds.
LONGEST = 3600
_REJECTED = re.compile(r"\[[^\]]*\](?: \((.*)\))?")


def forward(upstream: Upstream, updates: list[Update], rewrites: set[str]) -> dict[str, str | None]:
    """Pushes from the mirror; by ref None where the upstream took it, else why not.

    `rewrites`: refs whose old state must be just what the agent saw, as it is lost.
    """
    argv = ["git", "--git-dir", upstream.mirror, "push", "--porcelain", "--no-verify", "--no-signed"]
    argv += ["--no-follow-tags", "--recurse-submodules=no", *(("--atomic",) if len(updates) > 1 else ())]
    argv += [f"--force-with-lease={update.ref}:{update.old}" for update in updates if update.ref in rewrites]
    argv += ["--", upstream.real_url]
    argv += [f"{'' if update.deletes else update.new}:{update.ref}" for update in updates]
    process = subprocess.Popen(
        argv,
        env=gitenv.to_upstream(upstream),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    own: list[bytes] = []
    relay = threading.Thread(target=_relay, args=(upstream, process.stderr, own), daemon=True)
    timer = threading.Timer(LONGEST, kill_now, (process,))
    timer.daemon = True
    timer.start()
    relay.start()
    out = process.stdout.read()
    code = process.wait()
    relay.join()
    timed_out = not timer.is_alive()
    timer.cancel()
    found = verdicts(out.decode("utf-8", "replace"))
    failed = "failed"
    if code != 0 and not found:
        failed = str(fault_of(upstream, Result(code, out, b"".join(own).decode("utf-8", "replace"), timed_out)))
    return {update.ref: found.get(update.ref, failed) for update in updates}


def verdicts(porcelain: str) -> dict[str, str | None]:
    """By ref None or the reason, from `git push --porcelain`: `flag TAB from:to TAB summary (reason)`."""
    found: dict[str, str | None] = {}
    for line in porcelain.splitlines():
        fields = line.split("\t")
        if len(fields) != 3 or len(fields[0]) != 1:
            continue
        ref = fields[1].split(":", 1)[1]
        if fields[0] == "!":
            reason = _REJECTED.fullmatch(fields[2])
            found[ref] = one_line(reason[1] if reason and reason[1] else fields[2])
        else:
            found[ref] = None
    return found


def _relay(upstream: Upstream, stream, own: list[bytes]) -> None:
    """What the upstream says goes to the agent word for word; what git itself says is kept."""
    for line in stream:
        if line.startswith(b"remote: "):
            text = line.removeprefix(b"remote: ").decode("utf-8", "surrogateescape")
            sys.stderr.buffer.write(gitenv.masked(upstream, text).encode("utf-8", "surrogateescape"))
            sys.stderr.buffer.flush()
        else:
            own.append(line)
