"""Who tells of a push. A hook of ours does; where none came that far, or one was killed, the front does."""

import json
import os

from . import paths
from .control import record

# The environment's name for the path below which a connection's notes are.
VARIABLE = "GIT_GATE_TRACE"


class Trace:
    """One push, as git's own trace (https://git-scm.com/docs/api-trace2) and our hooks leave it while it lasts."""

    def __init__(self) -> None:
        self._path = f"{paths.RUN}/push-{os.urandom(8).hex()}"
        self.env = {"GIT_TRACE2_EVENT": self._path, "GIT_TRACE2_EVENT_BRIEF": "1", VARIABLE: self._path}

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, *_: object) -> None:
        for path in (self._path, f"{self._path}.seen", f"{self._path}.told"):
            if os.path.exists(path):
                os.unlink(path)

    def untold(self) -> tuple[str, str] | None:
        """Outcome and reason of a push that has ended and that no hook told of; None where there is none."""
        if os.path.exists(f"{self._path}.told"):
            return None
        if os.path.exists(f"{self._path}.seen"):
            return "failed", "the checks or the push were cut short"
        fault = self._fault()
        return None if fault is None else ("refused", f"git: {fault}")

    def _fault(self) -> str | None:
        """git's own words: of a pack too large, an object that is malformed."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                lines = file.read(1 << 20).splitlines()
        except FileNotFoundError:
            return None
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            # The agent hanging up is no push.
            if event.get("event") == "error" and "hung up" not in event.get("msg", ""):
                return event.get("msg")
        return None


def take_over() -> None:
    """From here on the push's event is the calling hook's to send."""
    _note("seen")


def record_push(**fields: object) -> None:
    """Has a push's event written. Raises ControlError."""
    record("push", **fields)
    _note("told")


def _note(what: str) -> None:
    path = os.environ.get(VARIABLE)
    if path:
        with open(f"{path}.{what}", "w", encoding="ascii"):
            pass
