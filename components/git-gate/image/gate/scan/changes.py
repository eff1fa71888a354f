"""What a push brings: its new commits, their texts, and the names they give to files."""

import re
import subprocess
import threading
import time
from collections.abc import Iterator

from ..run import kill, kill_now
from .gitleaks import Place, ScanError
from .patches import OPTIONS, Added, Merged, added

_LINK = re.compile(rb"(?:tree|parent|object) [0-9a-f]{40,64}")


class Changes:
    """Read from a repository by git. `env` has GIT_DIR, and the quarantine of what has just been received."""

    def __init__(self, env: dict[str, str], seconds: float) -> None:
        self.env = env
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.1, self._until - time.monotonic())

    def commits(self, values: list[str]) -> list[str]:
        """Reachable from `values` and not from any ref. Raises ScanError."""
        out = self._all("rev-list", "--stdin", data="".join(f"{value}\n" for value in (*values, "--not", "--all")))
        return out.decode("ascii").split()

    def added(self, commits: list[str]) -> Iterator[Added]:
        """What each commit adds to what its parents have. Raises ScanError."""
        marker = _marker()
        seen = 0
        merged: list[Merged] = []
        with _Output(self, self._log(marker, *OPTIONS), commits) as lines:
            for item in added(lines, marker.encode()):
                if isinstance(item, str):
                    seen += 1
                elif isinstance(item, Merged):
                    merged.append(item)
                else:
                    yield item
        for item, content in zip(merged, self.objects([item.blob for item in merged]), strict=True):
            lines = content.split(b"\n")[item.line - 1 : item.line - 1 + item.count]
            yield Added(item.commit, item.path, item.line, b"\n".join(lines))
        if seen != len(commits):
            raise ScanError(f"git told of {seen} commits, not of {len(commits)}")

    def names(self, commits: list[str]) -> Iterator[tuple[str, list[str]]]:
        """By commit, the names of files that none of its parents has. Raises ScanError."""
        marker = _marker()
        argv = self._log(marker, "--name-status", "-z", "-c", "--find-renames")
        parts = iter(self._all(*argv, data="".join(f"{commit}\n" for commit in commits)).split(b"\0"))
        found: dict[str, list[str]] = {}
        commit = ""
        for each in parts:
            part = each.lstrip(b"\n")
            if part.startswith(marker.encode()):
                commit = part[len(marker) :].decode("ascii")
                found[commit] = []
            elif part:
                name = next(parts)
                if part[:1] in b"RC" and len(part) > 1 and part[1:].isdigit():
                    name = next(parts)
                if not part.strip(b"ARC0123456789"):
                    found[commit].append(name.decode("utf-8", "backslashreplace"))
        if len(found) != len(commits):
            raise ScanError(f"git told of {len(found)} commits, not of {len(commits)}")
        yield from found.items()

    def texts(self, commits: list[str]) -> Iterator[tuple[Place, bytes]]:
        """Of each commit all that is in it but its links: authors, extra headers, message, NULs and what follows."""
        for commit, content in zip(commits, self.objects(commits), strict=True):
            yield Place("commit", commit, "", 1), _unlinked(content)

    def tags(self, values: list[str]) -> Iterator[tuple[Place, bytes]]:
        """Of each value that is a tag, and of the tags it points to."""
        for value in values:
            name = value
            while self.type(name) == "tag":
                (content,) = self.objects([name])
                yield Place("tag", name, "", 1), _unlinked(content)
                name = content.split(b"\n", 1)[0].split(b" ")[1].decode("ascii")

    def type(self, value: str) -> str:
        """Raises ScanError where there is no such object."""
        return self._all("cat-file", "-t", value).decode("ascii").strip()

    def objects(self, names: list[str]) -> Iterator[bytes]:
        """Contents in order. Raises ScanError."""
        if not names:
            return
        with _Output(self, ["cat-file", "--batch"], names) as lines:
            for name in names:
                head = next(lines, b"").split()
                if len(head) != 3 or head[0].decode("ascii") != name:
                    raise ScanError(f"the object {name} cannot be read")
                content = lines.read(int(head[2]) + 1)
                if len(content) != int(head[2]) + 1:
                    raise ScanError(f"the object {name} cannot be read")
                yield content[:-1]

    def _log(self, marker: str, *options: str) -> list[str]:
        return ["log", "--no-walk=unsorted", "--stdin", f"--format=tformat:{marker}%H", *options]

    def _all(self, *argv: str, data: str = "") -> bytes:
        with _Output(self, list(argv), data.splitlines()) as lines:
            return lines.read()


def _marker() -> str:
    """No pushed text can hold it."""
    with open("/dev/urandom", "rb") as source:
        return f"commit-{source.read(16).hex()} "


def _unlinked(content: bytes) -> bytes:
    """Without the hashes of objects, which rules could take for tokens."""
    head, separator, rest = content.partition(b"\n\n")
    kept = [line for line in head.split(b"\n") if not _LINK.fullmatch(line)]
    return b"\n".join(kept) + separator + rest


class _Output:
    """A git command's output while it is read; at its end, git must have succeeded. Raises ScanError."""

    def __init__(self, changes: Changes, argv: list[str], lines: list[str]) -> None:
        self._data = "".join(f"{line}\n" for line in lines).encode()
        self._process = subprocess.Popen(
            ["git", *argv],
            env=changes.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=1 << 20,
            start_new_session=True,
        )
        self._errors = b""
        self._too_late = False
        self._timer = threading.Timer(changes.left, self._end)
        self._timer.daemon = True
        self._threads = [threading.Thread(target=job, daemon=True) for job in (self._write, self._read_errors)]

    def __enter__(self):
        self._timer.start()
        for thread in self._threads:
            thread.start()
        return self._process.stdout

    def __exit__(self, kind, *_: object) -> None:
        self._timer.cancel()
        code = 0
        if kind is None:
            # What nobody read does not count as read.
            code = 1 if self._process.stdout.read(1) else self._process.wait()
        kill(self._process)
        for thread in self._threads:
            thread.join()
        if self._too_late:
            raise ScanError("it took too long")
        if code != 0:
            errors = self._errors.decode("utf-8", "replace").strip()
            raise ScanError(f"git failed: {errors[:300] or code}")

    def _end(self) -> None:
        self._too_late = True
        kill_now(self._process)

    def _write(self) -> None:
        try:
            with self._process.stdin as stdin:
                stdin.write(self._data)
        except OSError:
            pass  # git ended early, and says so by its exit status.

    def _read_errors(self) -> None:
        try:
            self._errors = self._process.stderr.read(65536)
        except ValueError:
            pass  # Closed under its hands: it was killed.
