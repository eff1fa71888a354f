"""Addresses of upstreams. What is let through here goes into command lines of git and ssh."""

import re
from collections import namedtuple

# As in the manifest's own check: nothing that begins with a dash, no control characters, no dot segments.
_HOST = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_SEGMENT = r"(?!\.+(?:/|$))[A-Za-z0-9_~+.][A-Za-z0-9_~+.@-]*"
_PATH = rf"{_SEGMENT}(?:/{_SEGMENT})*/?"
_FORMS = {
    "ssh": (
        re.compile(rf"ssh://(?:({_USER})@)?({_HOST})(?::(\d{{1,5}}))?/+{_PATH}", re.IGNORECASE),
        re.compile(rf"(?:({_USER})@)?({_HOST}):()/?{_PATH}", re.IGNORECASE),
    ),
    "https": (re.compile(rf"https://()({_HOST})(?::(\d{{1,5}}))?/+{_PATH}", re.IGNORECASE),),
    "file": (re.compile(r"file://()()()/upstreams/[a-z0-9][a-z0-9-]*"),),
}
GATE_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")

Address = namedtuple("Address", "host port")
Address.__doc__ = """Where an upstream is. `host`: in lower case, "" for a file. `port`: None for the usual one."""


def parse_address(url: str, transport: str) -> Address | None:
    """None where the URL is none of that transport."""
    for form in _FORMS[transport]:
        if (found := form.fullmatch(url)) is not None:
            port = int(found[3]) if found[3] else None
            if port is not None and not 0 < port < 65536:
                return None
            return Address(found[2].lower(), port)
    return None
