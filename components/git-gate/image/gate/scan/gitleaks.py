"""gitleaks as a process that is fed texts and says which hold a secret. Its protocol: ../gitleaks/fragments.go."""

import json
import struct
import subprocess
import threading
from collections import namedtuple

from .. import gitenv, paths
from ..node import ConfigError
from ..run import kill, kill_now, run

# Longer texts are cut into pieces that overlap: a secret on the cut is whole in one of them.
PIECE = 512 << 10
OVERLAP = 16 << 10
# More findings than this are counted no further; the push is refused anyway.
MOST_FINDINGS = 1000

Place = namedtuple("Place", "kind commit file line")
Place.__doc__ = """Where a text stands. `kind`: "" for a file's content, else what it is: commit, name, tag or ref."""

Finding = namedtuple("Finding", "rule kind commit file line")


class ScanError(Exception):
    """The scan could not be done as a whole, so nothing can be said of what is pushed."""


def check_rules(rules: str | None) -> None:
    """Loads a gitleaks configuration as a scan would. Raises ConfigError."""
    argv, data = [f"{paths.PROGRAMS}/gitleaks", "fragments"], _frame(rules) + _frame("")
    result = run(argv, gitenv.plain(), timeout=30, data=data)
    if result.code != 0:
        raise ConfigError(f"gitleaks: the configuration cannot be used: {_reason(result.err)}")


def _reason(stderr: str) -> str:
    # A panic's stack tells people nothing.
    return (stderr.strip().splitlines() or ["gitleaks gave no reason"])[0].removeprefix("panic: ")[:400]


def _frame(text: str | bytes | None) -> bytes:
    data = text.encode() if isinstance(text, str) else text or b""
    return struct.pack(">I", len(data)) + data


class Gitleaks:
    """A running gitleaks. Feed it, then ask for the result; leaving the `with` ends it, whatever happened."""

    def __init__(self, rules: str | None, seconds: float) -> None:
        self._process = subprocess.Popen(
            [f"{paths.PROGRAMS}/gitleaks", "fragments"],
            env=gitenv.plain(),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._fed = self._bytes = 0
        self._findings: dict[Finding, None] = {}
        self._trailer: dict | None = None
        self._errors = b""
        self._too_late = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()
        self._readers = [threading.Thread(target=job, daemon=True) for job in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()
        self._write(_frame(rules))

    def __enter__(self) -> "Gitleaks":
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        try:
            kill(self._process)
        except OSError:
            pass  # What was still to be written to it.

    def feed(self, place: Place, text: bytes) -> None:
        """Raises ScanError."""
        if b"\0" in text:
            # UTF-16, and anything else with NULs put in between: read without them as well.
            self.feed(place, text.replace(b"\0", b""))
        for offset, piece in pieces(text):
            line = place.line + text.count(b"\n", 0, offset) if offset else place.line
            head = {"kind": place.kind, "commit": place.commit, "file": place.file, "line": line}
            self._write(_frame(json.dumps(head)) + _frame(piece))
            self._fed += 1
            self._bytes += len(piece)

    def findings(self) -> list[Finding]:
        """Of all that was fed. Raises ScanError where gitleaks did not read all of it."""
        self._write(_frame(b""))
        self._close()
        code = self._process.wait()
        for reader in self._readers:
            reader.join()
        if self._too_late or code != 0 or self._trailer != {"fragments": self._fed, "bytes": self._bytes}:
            raise self._failure()
        return list(self._findings)

    def _write(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)
        except (OSError, ValueError):
            self._broken()

    def _close(self) -> None:
        try:
            self._process.stdin.close()
        except (OSError, ValueError):
            self._broken()

    def _broken(self) -> None:
        self._process.wait()
        for reader in self._readers:
            reader.join()
        raise self._failure() from None

    def _failure(self) -> ScanError:
        if self._too_late:
            return ScanError("it took too long")
        return ScanError(f"gitleaks failed: {_reason(self._errors.decode('utf-8', 'replace'))}")

    def _end(self) -> None:
        self._too_late = True
        kill_now(self._process)

    def _read(self) -> None:
        for line in self._process.stdout:
            record = json.loads(line)
            if "fragments" in record:
                self._trailer = record
            elif len(self._findings) < MOST_FINDINGS:
                self._findings[Finding(**record)] = None

    def _read_errors(self) -> None:
        self._errors = self._process.stderr.read(65536)


def pieces(text: bytes):
    """(offset, piece) pairs, cut behind a line's end where there is one near."""
    start = 0
    while len(text) - start > PIECE:
        end = text.rfind(b"\n", start + PIECE // 2, start + PIECE) + 1 or start + PIECE
        yield start, text[start:end]
        back = end - OVERLAP
        start = text.rfind(b"\n", start, back) + 1 or back
        if start <= end - PIECE // 2:
            start = back
    yield start, text[start:]
