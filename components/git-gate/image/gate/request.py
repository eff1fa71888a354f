"""The first packet of a git:// connection: which service, which repository."""

import re
from collections import namedtuple

# git's clients send a few hundred bytes.
MAX_REQUEST = 2048
_FORM = re.compile(
    rb"git-(upload|receive)-pack /([A-Za-z0-9._~+@/-]{1,1000})\n?\0"
    rb"(?:host=[A-Za-z0-9.:_\[\]-]{0,255}\0)?(?:\0(?:version=[0-9]\0)?)?"
)

Request = namedtuple("Request", "push path")
Request.__doc__ = "`path`: without leading slash and `.git`."


class RequestError(ValueError):
    """Says what is wrong with a request."""


def length_of(head: bytes) -> int:
    """Of the whole packet, by its first four bytes. Raises RequestError."""
    if not re.fullmatch(rb"[0-9a-fA-F]{4}", head):
        raise RequestError("this is git's own protocol, git://")
    length = int(head, 16)
    if not 4 < length <= MAX_REQUEST:
        raise RequestError("the request is too long")
    return length


def parse_request(packet: bytes) -> Request:
    """Raises RequestError. Stricter than git daemon, which reads the same bytes afterwards."""
    found = _FORM.fullmatch(packet[4:])
    if found is None:
        raise RequestError("fetch and push are served here, by paths of plain letters")
    path = found[2].decode("ascii").rstrip("/").removesuffix(".git")
    return Request(found[1] == b"receive", path)


def refusal(message: str) -> bytes:
    """A packet that git's clients show as `remote error: …`."""
    text = b"ERR " + "".join(char if char.isprintable() else " " for char in message).encode()[:1000]
    return f"{len(text) + 4:04x}".encode() + text
