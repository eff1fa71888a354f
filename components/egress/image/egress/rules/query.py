"""Query rules: each named parameter exactly once, its value matching a glob."""

from urllib.parse import unquote_plus

from .globs import TextGlob


def query_matches(query: str, rules: tuple[tuple[str, TextGlob], ...]) -> bool:
    """Whether a raw query string (without `?`) keeps all rules. Other parameters are free.

    A query that servers read differently (`;` as separator, names that differ in case only, or
    array brackets) does not match.
    """
    if not rules:
        return True
    if ";" in query or not query.isascii() or not query.isprintable():
        return False
    values: dict[str, list[str]] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        name = unquote_plus(name).partition("[")[0].strip().casefold()
        values.setdefault(name, []).append(unquote_plus(value))
    for name, glob in rules:
        found = values.get(name.casefold(), ())
        if len(found) != 1 or not glob.matches(found[0]) or not found[0].isprintable():
            return False
        # The one that is there must carry the rule's own spelling.
        if not any(unquote_plus(part.partition("=")[0]) == name for part in query.split("&")):
            return False
    return True
