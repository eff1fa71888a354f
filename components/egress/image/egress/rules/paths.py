"""Canonical paths: what egress matches must be what every server behind it reads.

A path that two servers could read differently is refused, not repaired (RFC 3986 §6.2 lists the ways).
"""

import re

# Fullwidth and look-alike dots, slashes and percent signs that some servers fold to ASCII ("best fit").
_FOLDED = frozenset("．。․‥…／∕⁄＼﹨％﹪；")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_RAW = re.compile(r"[\x21-\x7e]+")
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~!$&'()+,:=@-][A-Za-z0-9_~!$&'()+,:=@.-]*)+/?")
# Kept encoded in the normal form: decoding them would change what separates what.
_KEEP = frozenset("/%?#")


class PathError(ValueError):
    """Says in a few words what is wrong with a path."""


def normal_form(path: str) -> str:
    """Percent-decodes all but `/ % ? #` and bytes that are not UTF-8; what stays encoded is upper case."""
    if "%" not in path:
        return path
    out = bytearray()
    position = 0
    for found in _ENCODED.finditer(path):
        out += path[position : found.start()].encode()
        byte = int(found[1], 16)
        out += b"%%%02X" % byte if chr(byte) in _KEEP else bytes((byte,))
        position = found.end()
    out += path[position:].encode()
    return out.decode("utf-8", "surrogateescape")


def canonical(raw: str, strict: bool) -> tuple[str, ...]:
    """Checks a request's path (without its query) and returns the forms that a rule must match, all of them.

    With `strict` False (no rule of the host looks at paths) only what breaks requests apart is refused.
    Raises PathError.
    """
    if not raw.startswith("/"):
        raise PathError("does not begin with /")
    if _PLAIN.fullmatch(raw):
        return (raw,)
    if not _RAW.fullmatch(raw) or "\\" in raw or "#" in raw:
        raise PathError("has a character that must be percent-encoded")
    if _BROKEN.search(raw):
        raise PathError("has a broken percent-encoding")
    _check_dots(raw)
    if not strict:
        return (raw,)
    if "//" in raw:
        raise PathError("has an empty segment")
    _check_encodings(raw)
    normal = normal_form(raw)
    if any(ord(char) < 0x20 or ord(char) == 0x7F or "\ud800" <= char <= "\udfff" or char in _FOLDED for char in normal):
        raise PathError("has an encoded control character, look-alike or broken UTF-8")
    if ";" not in normal:
        return (normal,)
    # Some servers drop `;…` from each segment (path parameters): both readings must be allowed.
    bare = "/".join(segment.partition(";")[0] for segment in normal.split("/"))
    if "//" in bare:
        raise PathError("has an empty segment")
    return (normal, bare)


def _check_dots(raw: str) -> None:
    for segment in raw.split("/"):
        if segment.partition(";")[0] in (".", ".."):
            raise PathError("has a dot segment")


def _check_encodings(raw: str) -> None:
    """Refuses encoded dots, backslashes and NULs at any depth of encoding, and encoded slashes below the first."""
    text = raw
    for depth in range(4):
        for found in _ENCODED.finditer(text):
            byte = int(found[1], 16)
            if chr(byte) in ".\\" or byte < 0x20 or byte == 0x7F or (byte == 0x2F and depth > 0):
                raise PathError("has an encoded dot, slash, backslash or control character")
        decoded = _ENCODED.sub(lambda found: chr(int(found[1], 16)), text)
        if decoded == text:
            return
        text = decoded
    raise PathError("is encoded many times over")


