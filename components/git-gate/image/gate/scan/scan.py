"""One push, scanned as a whole."""

from collections import namedtuple

from .changes import Changes
from .gitleaks import Finding, Gitleaks, Place

Scanned = namedtuple("Scanned", "commits findings")
Scanned.__doc__ = "How many commits were new, and what was found in them."


def scan(env: dict[str, str], new: dict[str, str], rules: str | None, seconds: float) -> Scanned:
    """`new`: pushed values by ref. Raises ScanError; then nothing is known."""
    changes = Changes(env, seconds)
    values = list(dict.fromkeys(new.values()))
    with Gitleaks(rules, seconds) as gitleaks:
        commits = changes.commits(values) if values else []
        for ref in new:
            gitleaks.feed(Place("ref", "", ref, 1), ref.encode())
        for place, text in changes.tags(values):
            gitleaks.feed(place, text)
        names: dict[str, list[str]] = {}
        if commits:
            for place, text in changes.texts(commits):
                gitleaks.feed(place, text)
            for commit, paths in changes.names(commits):
                names[commit] = paths
                # A line a name: the number of the line leads back to it.
                gitleaks.feed(Place("name", commit, "", 0), "\n".join(_one_line(path) for path in paths).encode())
            for commit, path, line, text in changes.added(commits):
                gitleaks.feed(Place("", commit, path, line), text)
        return Scanned(len(commits), [_named(finding, names) for finding in gitleaks.findings()])


def _one_line(path: str) -> str:
    return path.replace("\n", " ").replace("\0", " ")


def _named(finding: Finding, names: dict[str, list[str]]) -> Finding:
    if finding.kind != "name":
        return finding
    return finding._replace(file=names[finding.commit][finding.line], line=0)
