"""The log's second copy: JSON lines in a file that outlives the bottle, each chained to the one before by hash."""

import hashlib
import json
import os
from pathlib import Path

ROTATE_BYTES = 16 << 20
KEPT = 4
"""Rotated files besides the one that is written: with it 80 MiB at most."""

_NONE = "0" * 64


class Evidence:
    """`decisions.jsonl`. Each line's last key, `prev`, is the SHA-256 of the line before, without its newline.

    The chain goes on over rotated files and restarts. Raises OSError where a line cannot be written.
    """

    def __init__(self, folder: Path, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path = folder / "decisions.jsonl"
        self._rotate_bytes = rotate_bytes
        self._previous = _last_hash(self._path) or _last_hash(self._rotated(1)) or _NONE
        self._open()

    def write(self, line: dict[str, object]) -> None:
        """Appends one line."""
        data = json.dumps(line | {"prev": self._previous}, ensure_ascii=True, separators=(",", ":")).encode()
        written = os.write(self._file, data + b"\n")
        if written != len(data) + 1:
            os.ftruncate(self._file, self._size)  # the disk is full: no half lines
            raise OSError("the disk took only part of a line")
        self._size += written
        self._previous = hashlib.sha256(data).hexdigest()
        if self._size >= self._rotate_bytes:
            self._rotate()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._file).st_size
        if self._size and not _ends_whole(self._path):
            self._size += os.write(self._file, b"\n")  # a line that a crash cut off stays, and is chained as it is

    def _rotate(self) -> None:
        os.close(self._file)
        for number in range(KEPT, 1, -1):
            if self._rotated(number - 1).exists():
                self._rotated(number - 1).replace(self._rotated(number))
        self._path.replace(self._rotated(1))
        self._open()

    def _rotated(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _last_hash(path: Path) -> str | None:
    """Of the last line there; None where the file is missing or empty."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - (64 << 10)))
            lines = file.read().rstrip(b"\n").rsplit(b"\n", 1)
    except FileNotFoundError:
        return None
    return hashlib.sha256(lines[-1]).hexdigest() if lines[-1] else None


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
