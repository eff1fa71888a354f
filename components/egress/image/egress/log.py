"""JSON lines: one for each decision, and one for each event of egress's own life. On stdout, and as evidence."""

import json
import sys
import time
from pathlib import Path

from .evidence import Evidence

MAX_TEXT = 512

_evidence: Evidence | None = None


def keep(folder: Path) -> None:
    """From now on lines also go into a file of `folder`, where it is mounted. Raises OSError where it cannot be written."""
    global _evidence
    if folder.is_dir():
        _evidence = Evidence(folder)


def clip(text: str) -> str:
    """Cuts what an agent or a server wrote to a length that cannot flood the log."""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def timestamp(now: float) -> str:
    """Unix seconds → RFC 3339, UTC, with milliseconds."""
    whole = int(now)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((now - whole) * 1000):03d}Z"


def emit(event: str, **fields: object) -> None:
    """Writes one line at once. Fields that are None are left out. Never pass a header's or a token's value."""
    line = {"ts": timestamp(time.time()), "event": event}
    line.update((key, value) for key, value in fields.items() if value is not None)
    _keep(line)
    try:
        sys.stdout.write(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    except OSError:
        pass  # nobody reads the log any more; traffic goes on


def _keep(line: dict[str, object]) -> None:
    global _evidence
    if _evidence is None:
        return
    try:
        _evidence.write(line)
    except OSError as error:
        # Traffic goes on, and what is decided is still told to the container's own log.
        _evidence = None
        emit("evidence_stopped", error=error.strerror or str(error))
