"""Token values: read from files in memory, held in memory, shown nowhere."""

import os
import re
from pathlib import Path

from .rules import Rules

MAX_BYTES = 16 * 1024

# A header's value may hold no control character (RFC 9110 §5.5).
_VALUE = re.compile(rb"[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")


class Tokens:
    """The values by id, and the revision of the folder they came from. Its repr shows no value."""

    __slots__ = ("_values", "revision")

    def __init__(self, values: dict[str, bytes], revision: str | None) -> None:
        self._values = values
        self.revision = revision

    def __repr__(self) -> str:
        return f"Tokens({sorted(self._values)})"

    def get(self, token: str) -> bytes | None:
        """The value of a token, None where it is missing."""
        return self._values.get(token)

    @property
    def ids(self) -> list[str]:
        """Ids of the tokens that are there, sorted."""
        return sorted(self._values)


def read_tokens(folder: Path, rules: Rules) -> Tokens:
    """Reads the tokens that the rules name. One that is missing, empty or not fit for a header is left out.

    Without the folder (a machine that has none in memory) the variable of the token's own name is read.
    """
    if not folder.is_dir():
        values = {token: os.environb.get(token.encode(), b"") for token in rules.all_tokens}
    else:
        values = {token: _read(folder / token) for token in rules.all_tokens}
    revision = _read(folder / ".revision").decode("utf-8", "replace") or None
    return Tokens({token: value for token, value in values.items() if _VALUE.fullmatch(value)}, revision)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            value = file.read(MAX_BYTES + 1)
    except OSError:
        return b""
    value = value.removesuffix(b"\n").removesuffix(b"\r")
    return value if len(value) <= MAX_BYTES else b""
