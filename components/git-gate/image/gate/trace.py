"""What git says of a push that ends before our hooks run: a pack too large, an object that is malformed."""

import json
import os

from . import paths


class Trace:
    """git's own trace of one push (https://git-scm.com/docs/api-trace2), kept while the connection lasts."""

    def __init__(self) -> None:
        self._path = f"{paths.RUN}/push-{os.urandom(8).hex()}"
        self.env = {"GIT_TRACE2_EVENT": self._path, "GIT_TRACE2_EVENT_BRIEF": "1", "GIT_GATE_TRACE": self._path}

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, *_: object) -> None:
        for path in (self._path, f"{self._path}.seen"):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass

    def fault(self) -> str | None:
        """None where there was none, or a hook of ours has told of it."""
        if os.path.exists(f"{self._path}.seen"):
            return None
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
                return f"git: {event.get('msg')}"
        return None
