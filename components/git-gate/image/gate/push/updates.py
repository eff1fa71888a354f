"""Updates of refs, as git's hooks are told of them."""

import re
from collections import namedtuple

_LINE = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([^\n]*)")
# https://git-scm.com/docs/git-check-ref-format; receive-pack itself does not check names that go to proc-receive.
_ILLEGAL = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|\.$|(?:^|/)\.|\.lock(?:/|$)")
_NAME_BYTES = 240


class Update(namedtuple("_Update", "old new ref")):
    """Values are hashes, all zeros for none."""

    __slots__ = ()

    @property
    def creates(self) -> bool:
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        return not self.new.strip("0")


class UpdateError(ValueError):
    """Says which ref is no ref that can be pushed."""


def parse_update(line: str) -> Update:
    """`<old> <new> <ref>`. Raises UpdateError."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise UpdateError("a ref's name has a line break, or its update is malformed")
    update = Update(*found.groups())
    fault = name_fault(update.ref)
    if fault is not None:
        raise UpdateError(f"{update.ref[:100]!r} {fault}")
    return update


def name_fault(ref: str) -> str | None:
    """What is wrong with a ref's name, or None."""
    if not ref.startswith(("refs/heads/", "refs/tags/")):
        return "is neither a branch (refs/heads/…) nor a tag (refs/tags/…); nothing else can be pushed"
    if len(ref.encode("utf-8", "surrogateescape")) > _NAME_BYTES:
        return f"is longer than {_NAME_BYTES} bytes"
    name = ref.split("/", 2)[2]
    if not ref.isprintable() or _ILLEGAL.search(ref) or not name or name.startswith("-") or name in ("HEAD", "@"):
        return "is not a name that git takes for a branch or tag"
    return None
