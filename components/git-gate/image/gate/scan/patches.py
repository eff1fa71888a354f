"""`git log --patch` as a stream of added lines.

Whatever is not understood to the last line is an error: what a parser steps over has not been scanned. Of a merge,
git gives the combined form (https://git-scm.com/docs/diff-format#_combined_diff_format); new is what no parent has.
Its lines end at a NUL, so it is taken to say which lines are new, and their text is read from the file.
"""

import re
from collections import namedtuple

from .gitleaks import ScanError

Added = namedtuple("Added", "commit path line text")
Added.__doc__ = "Lines that stand together. `line`: number of the first in the new file. `text`: bytes."
Merged = namedtuple("Merged", "commit path line count blob")
Merged.__doc__ = "The same of a merge: `count` lines of `blob`."

# What git is told; -c: combined form of merges.
OPTIONS = (
    "--patch", "--unified=0", "-c", "--text", "--find-renames", "--no-ext-diff", "--no-textconv", "--no-color",
    "--no-notes", "--no-decorate", "--no-mailmap", "--no-show-signature", "--submodule=short", "--inter-hunk-context=0",
    "--src-prefix=a/", "--dst-prefix=b/", "--full-index", "--no-relative", "--diff-algorithm=myers",
)  # fmt: skip
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_COMBINED_HUNK = re.compile(rb"(@@@+) (?:-\d+(?:,\d+)? )+\+(\d+)(?:,(\d+))? @@@+")
_HEADER = (
    b"mode ", b"new file mode ", b"deleted file mode ", b"old mode ", b"new mode ", b"similarity index ",
    b"dissimilarity index ", b"rename from ", b"rename to ", b"copy from ", b"copy to ", b"--- ",
)  # fmt: skip
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_ESCAPED = re.compile(rb"\\(?:([0-7]{3})|(.))", re.DOTALL)


def added(stream, marker: bytes):
    """Yields each commit's hash, then what it adds: Added or Merged.

    `stream`: binary lines of git's output, made with OPTIONS and `--format=tformat:<marker>%H`. Raises ScanError.
    """
    commit = path = blob = None
    line = next(stream, b"")
    while line:
        if line.startswith(marker):
            commit, path = line[len(marker) : -1].decode("ascii"), None
            yield commit
        elif line.startswith((b"diff --git ", b"diff --combined ", b"diff --cc ")) and commit:
            path = blob = None
        elif line.startswith(b"index ") and commit:
            blob = line.split()[1].rpartition(b"..")[2].decode("ascii")
        elif line.startswith(b"+++ ") and commit:
            path = _path(line[4:-1])
        elif line.startswith(b"@@@") and path is not None:
            found = _COMBINED_HUNK.match(line)
            if found is None:
                raise _odd(line)
            if blob is None:
                raise _odd(line)
            line = yield from _combined(stream, Merged(commit, path, int(found[2]), 0, blob), len(found[1]) - 1)
            continue
        elif line.startswith(b"@@ ") and path is not None:
            found = _HUNK.match(line)
            if found is None:
                raise _odd(line)
            text = _plain(stream, _count(found[1]), _count(found[3]))
            if text:
                yield Added(commit, path, int(found[2]), text)
        elif not (line == b"\n" or line.startswith(_HEADER) or line.startswith(b"\\ ")):
            raise _odd(line)
        line = next(stream, b"")


def _count(group: bytes | None) -> int:
    return 1 if group is None else int(group)


def _plain(stream, removed: int, new: int) -> bytes:
    """The added lines of a hunk, which are as many as its head says."""
    lines = []
    while removed or new:
        line = next(stream, b"")
        if line.startswith(b"+") and new:
            lines.append(line[1:])
            new -= 1
        elif line.startswith(b"-") and removed:
            removed -= 1
        elif not line.startswith(b"\\ "):
            raise _odd(line)
    return b"".join(lines)


def _combined(stream, start: Merged, parents: int):
    """Yields what no parent has; returns the line behind the hunk. Each line begins with a column a parent."""
    number, count = start.line, 0
    new = b"+" * parents
    submodule = new + f"Subproject commit {start.blob}\n".encode()
    while True:
        line = next(stream, b"")
        columns = line[:parents]
        content = len(columns) == parents and not columns.strip(b"+- ")
        if count and columns != new:
            yield start._replace(line=number - count, count=count)
            count = 0
        if not content:
            if line.startswith(b"\\ "):
                continue
            return line
        if columns == new and line != submodule:
            count += 1
        if b"-" not in columns:
            number += 1


def _path(name: bytes) -> str:
    """From a `+++` line; "" for a file that is gone."""
    if name.startswith(b'"'):
        name = _ESCAPED.sub(_unescape, name.rstrip(b"\t")[1:-1])
    else:
        name = name.removesuffix(b"\t")
        if name == b"/dev/null":
            return ""
    if not name.startswith(b"b/"):
        raise _odd(name)
    return name[2:].decode("utf-8", "backslashreplace")


def _unescape(found: re.Match) -> bytes:
    if found[1]:
        return bytes((int(found[1], 8),))
    return _ESCAPES.get(found[2], found[2])


def _odd(line: bytes) -> ScanError:
    return ScanError(f"git's output is not understood: {line[:60]!r}" if line else "git's output is cut short")
