"""Brings a mirror to its upstream's state before the agent sees it."""

import threading
import time
from collections.abc import Callable

from . import gitenv, mirror
from .config import Upstream
from .faults import Fault, fault_of
from .run import run

# Seconds. Whoever does not tell its refs in this time is away; a first fetch may be long.
LIST_TIMEOUT = 25
FETCH_TIMEOUT = 3600
_SPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


def list_upstream(upstream: Upstream, timeout: float = LIST_TIMEOUT) -> tuple[dict[str, str], str | None]:
    """Branches and tags of an upstream, and the branch that its HEAD names. Raises Fault."""
    argv = ["git", "ls-remote", "--symref", upstream.real_url]
    result = run(argv, gitenv.to_upstream(upstream), timeout)
    if result.code != 0:
        raise fault_of(upstream, result)
    refs: dict[str, str] = {}
    head = None
    for line in result.out.decode("utf-8", "surrogateescape").splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: ") and name == "HEAD":
            head = value.removeprefix("ref: ")
        elif name.startswith(("refs/heads/", "refs/tags/")) and not name.endswith("^{}"):
            refs[name] = value
    return refs, head


def sync(upstream: Upstream) -> None:
    """Raises Fault where the upstream cannot be asked, GitError where the mirror is broken."""
    with mirror.Lock(upstream):
        there, head = list_upstream(upstream)
        if _current(upstream, there) != there:
            _fetch(upstream)
        if head is not None and head.startswith("refs/heads/") and _head(upstream) != head:
            mirror.git(upstream, "symbolic-ref", "HEAD", head)
        mirror.mark_synced(upstream)


def _current(upstream: Upstream, there: dict[str, str]) -> dict[str, str]:
    """The mirror's refs; of one that is not there, or broken, a new one is made."""
    if mirror.is_there(upstream):
        try:
            return mirror.refs(upstream)
        except mirror.GitError:
            pass
    wide = any(len(value) == 64 for value in there.values())
    mirror.make(upstream, "sha256" if wide else "sha1")
    return {}


def _fetch(upstream: Upstream) -> None:
    argv = ["git", "--git-dir", upstream.mirror, "fetch", "--quiet", "--prune", "--force", "--no-tags"]
    argv += ["--no-recurse-submodules", "--no-write-fetch-head", "--no-show-forced-updates", upstream.real_url, *_SPECS]
    result = run(argv, gitenv.to_upstream(upstream), FETCH_TIMEOUT)
    if result.code != 0:
        raise fault_of(upstream, result)


def _head(upstream: Upstream) -> str:
    with open(f"{upstream.mirror}/HEAD", encoding="utf-8", errors="surrogateescape") as file:
        return file.read().strip().removeprefix("ref: ")


class Syncs:
    """Syncs of all upstreams: requests that wait for one share the next that starts after they came."""

    def __init__(self, on_fault: Callable[[Upstream, Fault], None], on_change: Callable[[], None]) -> None:
        self._on_fault = on_fault
        self._on_change = on_change
        self._lock = threading.Lock()
        self._turns: dict[str, _Turns] = {}
        # By id: (unix seconds of the last success or None, the last fault or None).
        self.states: dict[str, tuple[float | None, Fault | None]] = {}

    def forget(self, ids: set[str]) -> None:
        """Of upstreams that are no longer there."""
        with self._lock:
            for name in ids:
                self._turns.pop(name, None)
                self.states.pop(name, None)

    def sync(self, upstream: Upstream) -> Fault | None:
        """The fault of a sync that started after this call, or None."""
        with self._lock:
            turns = self._turns.setdefault(upstream.id, _Turns())
        return turns.take(lambda: self._run(upstream))

    def _run(self, upstream: Upstream) -> Fault | None:
        try:
            sync(upstream)
            fault = None
        except Fault as caught:
            fault = caught
        except (mirror.GitError, OSError) as error:
            fault = Fault("other", f"{upstream.id}: git-gate's own mirror fails: {error}")
        with self._lock:
            succeeded, before = self.states.get(upstream.id, (None, None))
            self.states[upstream.id] = (time.time() if fault is None else succeeded, fault)
        if fault is not None and str(before) != str(fault):
            self._on_fault(upstream, fault)
        if succeeded is None or (before is None) != (fault is None):
            self._on_change()
        return fault


class _Turns:
    """One run at a time; who waits takes the result of the first run that starts after it asked."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._started = 0
        self._finished = 0
        self._result: Fault | None = None

    def take(self, job: Callable[[], Fault | None]) -> Fault | None:
        with self._condition:
            wanted = self._started + 1
            while self._finished < self._started and self._finished < wanted:
                self._condition.wait()
            if self._finished >= wanted:
                return self._result
            self._started += 1
        result: Fault | None = Fault("other", "git-gate failed; its log says why")
        try:
            result = job()
        finally:
            with self._condition:
                self._finished = self._started
                self._result = result
                self._condition.notify_all()
        return result
