"""Long-lived traffic that rules may end: tunnels, WebSockets, and responses under a rule that expires."""

import asyncio
import time
from collections.abc import Callable

Verdict = Callable[[float], float | None | bool]
"""Given the time: False where it must end now, else when it must end at the latest (None: never)."""


class Entry:
    """One piece of traffic; `end` closes it and must be safe to call at any time."""

    __slots__ = ("verdict", "end")

    def __init__(self, verdict: Verdict, end: Callable[[], None]) -> None:
        self.verdict = verdict
        self.end = end


class Live:
    """All of them. Checked after each reload, and by the clock."""

    def __init__(self) -> None:
        self._entries: set[Entry] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """From now on `entry` ends when its rule does."""
        self._entries.add(entry)
        due = entry.verdict(time.time())
        if due is False:
            due = time.time()
        if due is not None and due < self._due:
            self._arm(due)

    def discard(self, entry: Entry) -> None:
        """It has ended by itself."""
        self._entries.discard(entry)

    def check(self) -> None:
        """Ends all that no rule allows any more."""
        now = time.time()
        next_due = float("inf")
        for entry in list(self._entries):
            due = entry.verdict(now)
            if due is False:
                self._entries.discard(entry)
                entry.end()
            elif due is not None:
                next_due = min(next_due, due)
        self._arm(next_due)

    def _arm(self, due: float) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due != float("inf"):
            # At most an hour ahead: the wall clock may be set meanwhile.
            delay = min(max(due - time.time(), 0.0) + 0.01, 3600.0)
            self._timer = asyncio.get_running_loop().call_later(delay, self.check)
