"""Globs for paths and query values.

Matched without regular expressions: the text comes from the agent, and a backtracking matcher could be
kept busy by it. Two pointers with one point of return need at most len(pattern) × len(text) steps.
"""

from .paths import normal_form


def _match[T](pattern: list[T], text: list[T] | str, star: T, same) -> bool:
    """Classic wildcard match: `star` stands for any run of items, also none."""
    p = t = 0
    star_at = -1
    resume = 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == star:
            star_at, resume = p, t
            p += 1
        elif p < len(pattern) and same(pattern[p], text[t]):
            p += 1
            t += 1
        elif star_at >= 0:
            resume += 1
            p, t = star_at + 1, resume
        else:
            return False
    while p < len(pattern) and pattern[p] == star:
        p += 1
    return p == len(pattern)


def _same_char(pattern: str, char: str) -> bool:
    return pattern == char


class TextGlob:
    """`*` stands for any run of characters; all else is literal. Anchored at both ends."""

    __slots__ = ("pattern", "_chars")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._chars = list(pattern) if "*" in pattern else None

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        return text == self.pattern if self._chars is None else _match(self._chars, text, "*", _same_char)


class _SegmentGlob(TextGlob):
    """One path segment. A lone `*` needs at least one character; an encoded slash matches only itself."""

    __slots__ = ()

    def matches(self, text: str) -> bool:
        if "%2F" in text and text.count("%2F") != self.pattern.count("%2F"):
            return False
        return (text != "" or self.pattern != "*") and super().matches(text)


class PathGlob:
    """`*` within a segment, `**` (a whole segment) across segments; `/v1/**` also matches `/v1`."""

    __slots__ = ("pattern", "_literal", "_prefix", "_segments", "_slashes")

    def __init__(self, pattern: str) -> None:
        """Takes a pattern that begins with `/`; its percent-encodings are normalised like a request's."""
        self.pattern = pattern
        text = normal_form(pattern)
        self._slashes = text.count("%2F")
        self._literal = text if "*" not in text else None
        head = text.removesuffix("/**")
        self._prefix = head if head != text and "*" not in head else None
        self._segments = [s if s == "**" else _SegmentGlob(s) for s in text.split("/")[1:]]

    def matches(self, path: str) -> bool:
        """Whether a normalised path (see `paths.canonical`) matches."""
        if self._literal is not None:
            return path == self._literal
        # No wildcard covers an encoded slash: each one in the path needs its own in the pattern.
        if path.count("%2F") != self._slashes:
            return False
        if self._prefix is not None and not self._slashes:
            return path == self._prefix or path.startswith(self._prefix + "/")
        return _match(self._segments, path.split("/")[1:], "**", _segment_matches)


def _segment_matches(glob: _SegmentGlob | str, segment: str) -> bool:
    return not isinstance(glob, str) and glob.matches(segment)
