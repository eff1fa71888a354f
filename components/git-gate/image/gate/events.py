"""Evidence: JSON lines to stdout and to pushes.jsonl, written by the serving process alone.

Each line of pushes.jsonl has, as `prev`, the SHA-256 of the line before it, also over rotations and restarts.
"""

import hashlib
import json
import os
import sys
import threading
import time

from . import paths

ROTATE_BYTES = 16 << 20
KEPT = 3
MAX_TEXT = 512
MAX_ITEMS = 100
# `prev` of a chain's very first line.
START = "0" * 64
_TAIL_BYTES = 1 << 20
# These are kept as evidence; the others are told to the container's log alone.
_EVIDENCE = frozenset(("push", "push-forwarding", "refused", "sync-failed", "signed"))


class EventLog:
    """Raises OSError where an event cannot be written."""

    def __init__(self, path: str = "", rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path = path or f"{paths.EVIDENCE}/pushes.jsonl"
        self._rotate_bytes = rotate_bytes
        self._lock = threading.Lock()

    def write(self, event: str, **fields: object) -> None:
        """One line. Fields that are None are left out; long texts and lists are cut."""
        record = {"time": timestamp(time.time()), "event": event}
        record |= {key: bounded(value) for key, value in fields.items() if value is not None}
        with self._lock:
            if event in _EVIDENCE:
                self._append(record)
            try:
                sys.stdout.write(json.dumps(record) + "\n")
                sys.stdout.flush()
            except (OSError, ValueError):
                if event not in _EVIDENCE:
                    raise

    def _append(self, record: dict) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            last, torn = _last_line(descriptor, size)
            if last is None:
                last = _last_line_of(f"{self._path}.1")
            record["prev"] = START if last is None else hashlib.sha256(last).hexdigest()
            # What was torn by a kill stays, as a line of its own.
            data = (b"\n" if torn else b"") + json.dumps(record).encode() + b"\n"
            if os.write(descriptor, data) != len(data):
                os.ftruncate(descriptor, size)
                raise OSError("the evidence log took only part of an event")
        finally:
            os.close(descriptor)
        if size + len(data) >= self._rotate_bytes:
            self._rotate()

    def _rotate(self) -> None:
        for number in range(KEPT - 1, 0, -1):
            if os.path.exists(f"{self._path}.{number}"):
                os.rename(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.rename(self._path, f"{self._path}.1")


def _last_line(descriptor: int, size: int) -> tuple[bytes | None, bool]:
    """The last line without its end (None: there is none), and whether that end is missing."""
    if size == 0:
        return None, False
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    torn = not tail.endswith(b"\n")
    return (tail if torn else tail[:-1]).rsplit(b"\n", 1)[-1], torn


def _last_line_of(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return _last_line(descriptor, os.fstat(descriptor).st_size)[0]
    finally:
        os.close(descriptor)


def bounded(value: object) -> object:
    """What an agent wrote cannot flood the log."""
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode() if not value.isascii() else value
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    if isinstance(value, list):
        return [bounded(item) for item in value[:MAX_ITEMS]]
    if isinstance(value, dict):
        return {key: bounded(item) for key, item in value.items()}
    return value


def timestamp(now: float) -> str:
    """Unix seconds → RFC 3339, UTC, with milliseconds."""
    whole = int(now)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((now - whole) * 1000):03d}Z"
