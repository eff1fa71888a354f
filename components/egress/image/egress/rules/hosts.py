"""Host names and host patterns."""

import re
from collections.abc import Iterable

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# What a resolver may take for IPv4: inet_aton accepts short, octal, hexadecimal and decimal forms.
_NUMERIC = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")


def is_host_name(name: str) -> bool:
    """Whether `name` is a lower-case ASCII host name that no resolver reads as an address."""
    return len(name) <= 253 and _NAME.fullmatch(name) is not None and _NUMERIC.fullmatch(name) is None


def split_authority(authority: bytes, default_port: int | None) -> tuple[str, int] | None:
    """`host[:port]` → lower-case host and port; None for anything but a plain host name and a decimal port.

    So user information, IP literals, trailing dots, percent-encoding and non-ASCII names are all refused.
    """
    try:
        text = authority.decode("ascii").lower()
    except UnicodeDecodeError:
        return None
    host, colon, port_text = text.partition(":")
    if not is_host_name(host):
        return None
    if not colon:
        return None if default_port is None else (host, default_port)
    if not (port_text.isdigit() and len(port_text) <= 5 and 0 < int(port_text) < 65536):
        return None
    return host, int(port_text)


def is_pattern(pattern: str) -> bool:
    """Exact host name, or `*.` and a host name."""
    return is_host_name(pattern.removeprefix("*."))


class HostIndex[T]:
    """Entries by host pattern; a look-up costs one dictionary access a label, however many entries there are."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._by_pattern: dict[str, list[tuple[int, T]]] = {}
        for position, (pattern, entry) in enumerate(entries):
            self._by_pattern.setdefault(pattern, []).append((position, entry))

    def lookup(self, host: str) -> list[T]:
        """Entries that cover `host`, in their original order. `*.x` covers any depth below x, not x itself."""
        found = list(self._by_pattern.get(host, ()))
        rest = host
        while (dot := rest.find(".")) >= 0:
            rest = rest[dot + 1 :]
            found += self._by_pattern.get("*." + rest, ())
        if len(found) > 1:
            found.sort(key=lambda pair: pair[0])
        return [entry for _, entry in found]
