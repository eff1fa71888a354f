"""JSON values with their key paths, so that what is wrong with a configuration is told by its place."""

import json


class ConfigError(ValueError):
    """Says which key of gate.json is wrong, and how."""


class Node:
    """A value and its key path; every accessor checks the type."""

    def __init__(self, value, path: str = "") -> None:
        self.value = value
        self.path = path

    def fail(self, problem: str, key: str | None = None) -> ConfigError:
        path = self.path if key is None else f"{self.path}.{key}".lstrip(".")
        return ConfigError(f"{path or 'gate.json'}: {problem}")

    def only(self, *keys: str, optional: tuple[str, ...] = ()) -> None:
        """All of `keys` must be there, and nothing else but `optional`."""
        if not isinstance(self.value, dict):
            raise self.fail("must be an object")
        for key in self.value:
            if key not in keys and key not in optional:
                raise self.fail(f"unknown key {key!r}; known here: {', '.join((*keys, *optional))}")
        for key in keys:
            if key not in self.value:
                raise self.fail("is missing", key)

    def _typed(self, key: str, kind: type, what: str):
        value = self.value[key]
        # bool is an int to Python, not to us.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.fail(f"must be {what}", key)
        return value

    def text(self, key: str, pattern=None, what: str = "") -> str:
        """A string that matches a compiled pattern as a whole."""
        value = self._typed(key, str, "a string")
        if pattern is not None and not pattern.fullmatch(value):
            raise self.fail(f"{value[:200]!r} is not {what}", key)
        return value

    def optional_text(self, key: str) -> str | None:
        return None if self.value.get(key) is None else self.text(key)

    def flag(self, key: str) -> bool:
        return self._typed(key, bool, "true or false")

    def number(self, key: str, most: int) -> int:
        value = self._typed(key, int, "a number")
        if not 1 <= value <= most:
            raise self.fail(f"must be 1 to {most}", key)
        return value

    def child(self, key: str) -> "Node | None":
        """None where the value is null."""
        return None if self.value[key] is None else Node(self.value[key], f"{self.path}.{key}".lstrip("."))

    def items(self, key: str) -> "list[Node]":
        values = self._typed(key, list, "a list")
        return [Node(value, f"{self.path}.{key}[{i}]".lstrip(".")) for i, value in enumerate(values)]


def parse(text: str) -> Node:
    """Raises ConfigError where it is no JSON, or has a key twice."""

    def pairs(items):
        found = dict(items)
        if len(found) != len(items):
            raise ConfigError("gate.json: has a key twice in one object")
        return found

    try:
        return Node(json.loads(text, object_pairs_hook=pairs))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(f"gate.json: is not valid JSON: {error}") from None
