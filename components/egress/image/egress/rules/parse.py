"""rules.yaml → Rules. Strict: an unknown key or a bad value refuses the whole file, with its key path."""

import re
from datetime import datetime
from typing import Any

from .globs import PathGlob
from .globs import TextGlob
from .hosts import is_pattern
from .model import Auth
from .model import Host
from .model import Route
from .model import Rules
from .model import RulesError
from .paths import PathError
from .paths import canonical

MAX_BYTES = 4 * 1024 * 1024

_TOKEN_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}")
_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
# Headers that frame or route a message: a credential in one of them would break it.
_RESERVED = frozenset(
    "host connection content-length transfer-encoding upgrade te trailer expect proxy-authorization proxy-connection".split()
)


def parse_rules(text: str) -> Rules:
    """Parses and validates a rules file. Raises RulesError with key path and problem."""
    if len(text) > MAX_BYTES:
        raise RulesError(f"file: larger than {MAX_BYTES // 1024 // 1024} MiB")
    top = _Node(_load(text), "")
    top.only("revision", "strip_headers", "hosts", "routes")
    rules = Rules(
        revision=top.text("revision"),
        # `_` as `-`: servers that put headers into CGI variables cannot tell the two apart.
        strip_headers=frozenset(_header(node).replace("_", "-") for node in top.items("strip_headers", [])),
        hosts=tuple(_host(node) for node in top.items("hosts", [])),
        routes=tuple(_route(node) for node in top.items("routes", [])),
    )
    names = [route.name for route in rules.routes]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise RulesError(f"routes[{index}].name: {name!r} is there twice")
    return rules


def _load(text: str) -> Any:
    # Imported here: YAML is needed at start and reload only.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        # The first lines say what and where; the rest quotes the file.
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise RulesError(f"file: not valid YAML: {problem}{where}") from None


class _Node:
    """A value with its key path; every accessor checks the type and names the path when it is wrong."""

    def __init__(self, value: Any, path: str) -> None:
        self.value = value
        self.path = path

    def fail(self, problem: str, key: str | None = None) -> RulesError:
        path = self.path if key is None else f"{self.path}.{key}".lstrip(".")
        return RulesError(f"{path or 'file'}: {problem}")

    def only(self, *known: str) -> None:
        if not isinstance(self.value, dict):
            raise self.fail("must be a mapping")
        for key in self.value:
            if key not in known:
                raise self.fail(f"unknown key {key!r}; known here: {', '.join(known)}")

    def get(self, key: str, kind: type, what: str, default: Any = ...) -> Any:
        if key not in self.value or (self.value[key] is None and default is not ...):
            if default is ...:
                raise self.fail("is missing", key)
            return default
        value = self.value[key]
        # bool is an int to Python, not to us.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.fail(f"must be {what}", key)
        return value

    def text(self, key: str, default: Any = ...) -> Any:
        value = self.get(key, str, "a string", default)
        if value == "":
            raise self.fail("is empty", key)
        return value

    def flag(self, key: str) -> bool:
        return self.get(key, bool, "true or false", False)

    def items(self, key: str, default: Any = ...) -> list["_Node"]:
        values = self.get(key, list, "a list", default)
        return [_Node(value, f"{self.path}.{key}[{i}]".lstrip(".")) for i, value in enumerate(values)]

    def string(self) -> str:
        if not isinstance(self.value, str) or self.value == "":
            raise self.fail("must be a string that is not empty")
        return self.value

    def expires(self) -> float | None:
        value = self.value.get("expires")
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                pass
        if value is None:
            return None
        # An unquoted time is read by YAML itself, and loses its zone there.
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.fail('must be a quoted RFC 3339 time with its zone, such as "2026-11-25T10:00:00Z"', "expires")
        return value.timestamp()


def _pattern(node: _Node) -> str:
    host = node.text("host")
    if not is_pattern(host):
        raise node.fail(f"{host!r} is not a lower-case ASCII host name, nor *. and one", "host")
    return host


def _header(node: _Node) -> str:
    name = node.string().lower()
    if not _HEADER.fullmatch(name) or name in _RESERVED:
        raise node.fail(f"{name!r} is not a header that may be taken off or put on")
    return name


def _host(node: _Node) -> Host:
    node.only("host", "inspect", "expires")
    return Host(_pattern(node), node.flag("inspect"), node.expires())


def _route(node: _Node) -> Route:
    node.only(
        "name", "host", "scheme", "port", "methods", "paths", "query", "websocket", "inspect", "auth", "expires"
    )
    scheme = node.text("scheme", "https")
    if scheme not in ("https", "http"):
        raise node.fail("must be https or http", "scheme")
    port = node.get("port", int, "a number", 443 if scheme == "https" else 80)
    if not 0 < port < 65536:
        raise node.fail("must be 1 to 65535", "port")
    auth = _auth(_Node(node.value["auth"], f"{node.path}.auth")) if node.value.get("auth") is not None else None
    if auth and scheme != "https":
        raise node.fail("a credential is put on over TLS only; use scheme https", "auth")
    return Route(
        name=node.text("name"),
        host=_pattern(node),
        scheme=scheme,
        port=port,
        methods=_listed(node, "methods", _method),
        paths=_listed(node, "paths", _path),
        query=_query(node),
        websocket=node.flag("websocket"),
        inspect=node.flag("inspect"),
        auth=auth,
        expires=node.expires(),
    )


def _listed(node: _Node, key: str, convert) -> Any:
    """None where the key is absent (any); an empty list would allow nothing and is surely a mistake."""
    if node.value.get(key) is None:
        return None
    values = [convert(item) for item in node.items(key)]
    if not values:
        raise node.fail("is empty; leave it out to allow any", key)
    return frozenset(values) if key == "methods" else tuple(values)


def _method(node: _Node) -> str:
    method = node.string()
    if not _METHOD.fullmatch(method):
        raise node.fail(f"{method!r} is not an upper-case method")
    return method


def _path(node: _Node) -> PathGlob:
    pattern = node.string()
    for segment in pattern.split("/"):
        if "**" in segment and segment != "**":
            raise node.fail("** must be a whole segment")
    try:
        # Raw characters in it are the human's convenience; requests have them percent-encoded.
        canonical(re.sub(r"[^\x21-\x7e]", "x", pattern), strict=True)
    except PathError as error:
        raise node.fail(f"{pattern!r} {error}; no canonical path would match it") from None
    if "?" in pattern:
        raise node.fail("has a query; use the key query")
    return PathGlob(pattern)


def _query(node: _Node) -> tuple[tuple[str, TextGlob], ...]:
    values = node.get("query", dict, "a mapping of names to globs", {})
    for name, glob in values.items():
        if not isinstance(name, str) or not name or not isinstance(glob, str):
            raise node.fail(f"{name!r} must be a name with a glob in quotes", "query")
    return tuple((name, TextGlob(glob)) for name, glob in values.items())


def _auth(node: _Node) -> Auth:
    node.only("token", "header", "scheme", "username", "optional")
    token = node.text("token")
    if not _TOKEN_ID.fullmatch(token):
        # Not shown: where a name is expected, people paste the token.
        raise node.fail("must be the id of a token: letters, digits and _", "token")
    scheme = node.text("scheme")
    if scheme not in ("raw", "bearer", "basic"):
        raise node.fail("must be raw, bearer or basic", "scheme")
    username = node.text("username", None)
    if (username is None) == (scheme == "basic"):
        raise node.fail("belongs to scheme basic, which needs it", "username")
    if username is not None and (":" in username or not username.isprintable()):
        raise node.fail("must be printable and without a colon", "username")
    header = _header(_Node(node.text("header", "authorization"), f"{node.path}.header"))
    return Auth(token, header, scheme, username, node.flag("optional"))
