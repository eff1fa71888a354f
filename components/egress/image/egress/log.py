"""JSON lines on stdout: one for each decision, and one for each event of egress's own life."""

import json
import sys
import time

MAX_TEXT = 512


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
    try:
        sys.stdout.write(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    except OSError:
        pass  # nobody reads the log any more; traffic goes on
