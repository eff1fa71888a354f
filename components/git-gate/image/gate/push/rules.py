"""What the manifest lets an agent push. Pure: what must be asked of git comes as functions."""

import re
from collections.abc import Callable

from ..config import Limits, Upstream
from .updates import Update


def refusals(
    upstream: Upstream,
    limits: Limits,
    updates: list[Update],
    current: dict[str, str],
    type_of: Callable[[str], tuple[str, str] | None],
    is_ancestor: Callable[[str, str], bool],
) -> dict[str, str]:
    """Reasons by ref; empty where all may be pushed.

    `current`: the upstream's refs. `type_of(value)`: its type, and that of what it leads to behind tags; None where
    it is not there. `is_ancestor(old, new)`: whether the update only adds.
    """
    if upstream.push is None:
        return {update.ref: f"{upstream.id} is read-only here; {_by(upstream)}" for update in updates}
    if len(updates) > limits.refs:
        reason = (
            f"{len(updates)} refs in one push, and {limits.refs} are the most; "
            "push fewer at once, or a human raises bottle:git.limits.refs"
        )
        return {update.ref: reason for update in updates}
    if len({update.ref for update in updates}) != len(updates):
        return {update.ref: "a ref is there twice" for update in updates}
    found = {update.ref: _reason(upstream, update, current, type_of, is_ancestor) for update in updates}
    return {ref: reason for ref, reason in found.items() if reason is not None}


def _reason(upstream: Upstream, update: Update, current: dict[str, str], type_of, is_ancestor) -> str | None:
    push = upstream.push
    kind, name = _kind_and_name(update)
    if not _allowed(upstream, kind, name):
        globs = getattr(push, kind)
        allowed = f"only {', '.join(globs)} may be pushed" if globs else f"no {kind} may be pushed"
        return f"{allowed} to {upstream.id}; {_by(upstream, kind)}"
    if current.get(update.ref, "") != ("" if update.creates else update.old):
        return "fetch first: the upstream has another state of it"
    if update.deletes:
        return None if push.delete else f"nothing may be deleted in {upstream.id}; {_by(upstream, 'delete')}"
    types = type_of(update.new)
    if types is None or types[1] != "commit":
        return "it does not lead to a commit, and only commits can be checked; push a commit, or a tag of one"
    if kind == "branches" and types[0] != "commit":
        return "a branch must be a commit, not a tag of one"
    if update.creates or push.force:
        return None
    if kind == "tags":
        return f"it is there, and tags may not be moved in {upstream.id}; {_by(upstream, 'force')}"
    if not is_ancestor(update.old, update.new):
        return f"it rewrites what is there (not a fast-forward) in {upstream.id}; {_by(upstream, 'force')}"
    return None


def not_named(upstream: Upstream, updates: list[Update]) -> dict[str, list[str]]:
    """Branches and tags that are refused for their name alone: others of the manifest would let them through."""
    found: dict[str, list[str]] = {"branches": [], "tags": []}
    for update in updates:
        kind, name = _kind_and_name(update)
        if not update.deletes and not _allowed(upstream, kind, name):
            found[kind].append(name)
    return found


def _kind_and_name(update: Update) -> tuple[str, str]:
    is_branch = update.ref.startswith("refs/heads/")
    return ("branches", update.ref[11:]) if is_branch else ("tags", update.ref[10:])


def _allowed(upstream: Upstream, kind: str, name: str) -> bool:
    return upstream.push is not None and any(matches(glob, name) for glob in getattr(upstream.push, kind))


def _by(upstream: Upstream, key: str = "") -> str:
    return f"a human can allow it with {upstream.config_key}.push{'.' * bool(key)}{key}"


def matches(glob: str, name: str) -> bool:
    """`*` is any text within a segment, `**` (a whole segment) any number of segments, but at least one."""
    parts = (_WILD.get(text, re.escape(text)) for text in re.split(r"(\*\*|\*)", glob))
    return re.fullmatch("".join(parts), name, re.DOTALL) is not None


_WILD = {"*": "[^/]*", "**": ".+"}
