"""gate.json: what is served, what may be pushed, and the limits. Read afresh for every connection."""

import re
from collections import namedtuple

from . import paths
from .addresses import GATE_PATH, Address, parse_address
from .node import ConfigError, Node, parse

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_USERNAME = re.compile(r"[\x21-\x39\x3b-\x7e]+")
_REVISION = re.compile(r"[\x21-\x7e]{1,128}")
_KEY = re.compile(r"[\x20-\x7e]{1,200}")
_GLOB = re.compile(r"[^\x00-\x20\x7f]{1,200}")
_TRANSPORT = re.compile(r"ssh|https|file")

# git leaves a file of 1 GiB or more out of its diffs.
MOST_BYTES = (1 << 30) - 1024

Token = namedtuple("Token", "id username")
Push = namedtuple("Push", "branches tags delete force")
Limits = namedtuple("Limits", "pack_bytes file_bytes refs scan_seconds connections")
Config = namedtuple("Config", "revision upstreams limits signing_key gitleaks ask")


class Upstream(
    namedtuple("_Upstream", "id path url transport address key known_hosts token push serve_stale config_key")
):
    """One upstream. `push` None: read-only. `known_hosts`: the lines themselves."""

    __slots__ = ()

    @property
    def mirror(self) -> str:
        """Its bare repository."""
        return f"{paths.MIRRORS}/{self.path}.git"

    @property
    def real_url(self) -> str:
        """What git is given."""
        return self.url.replace("file:///", f"file://{paths.ROOT}/", 1) if self.transport == "file" else self.url


def load(path: str = paths.CONFIG_FILE) -> Config:
    """Raises ConfigError."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"gate.json: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    top = parse(text)
    top.only("revision", "upstreams", "limits", "signing", "gitleaks", optional=("ask",))
    upstreams = tuple(_upstream(node) for node in top.items("upstreams"))
    for what in ("id", "path"):
        values = [getattr(upstream, what) for upstream in upstreams]
        for index, value in enumerate(values):
            if value in values[:index]:
                raise ConfigError(f"upstreams[{index}].{what}: {value!r} is there twice")
    signing = top.child("signing")
    if signing is not None:
        signing.only("key")
    return Config(
        revision=top.text("revision", _REVISION, "printable text"),
        upstreams=upstreams,
        limits=_limits(top.child("limits") or Node(None, "limits")),
        signing_key=None if signing is None else signing.text("key", _FILE, "a file's name"),
        gitleaks=top.optional_text("gitleaks") or None,
        ask="ask" in top.value and top.flag("ask"),
    )


def _limits(node: Node) -> Limits:
    node.only(*Limits._fields)
    return Limits(
        pack_bytes=node.number("pack_bytes", 1 << 40),
        file_bytes=node.number("file_bytes", MOST_BYTES),
        refs=node.number("refs", 10_000),
        scan_seconds=node.number("scan_seconds", 86_400),
        connections=node.number("connections", 1_000),
    )


def _upstream(node: Node) -> Upstream:
    node.only(
        *("id", "path", "url", "transport", "key", "known_hosts", "token", "push", "serve_stale", "config_key"),
    )
    transport = node.text("transport", _TRANSPORT, "ssh, https or file")
    name = node.text("id", _ID, "a name of a-z, 0-9 and -")
    upstream = Upstream(
        id=name,
        path=_path(node),
        url=node.text("url"),
        transport=transport,
        address=_address(node, transport, name),
        key=None if node.value["key"] is None else node.text("key", _FILE, "a file's name"),
        known_hosts=node.optional_text("known_hosts") or "",
        token=_token(node.child("token")),
        push=_push(node.child("push")),
        serve_stale=node.flag("serve_stale"),
        config_key=node.text("config_key", _KEY, "a key of the manifest"),
    )
    if upstream.token is not None and transport != "https":
        raise node.fail("belongs to https alone", "token")
    if upstream.key is not None and transport != "ssh":
        raise node.fail("belongs to ssh alone", "key")
    return upstream


def _path(node: Node) -> str:
    path = node.text("path", GATE_PATH, "a path of plain segments")
    if path == "health" or any(part.lower().endswith(".git") for part in path.split("/")):
        raise node.fail(f"{path!r} is taken: no segment may end in .git, and health is git-gate's own", "path")
    return path


def _address(node: Node, transport: str, name: str) -> Address:
    url = node.text("url")
    address = parse_address(url, transport)
    if address is None or (transport == "file" and url != f"file:///upstreams/{name}"):
        # Not shown: there may be a password in it.
        raise node.fail(f"is no address that git-gate takes for {transport}", "url")
    return address


def _token(node: Node | None) -> Token | None:
    if node is None:
        return None
    node.only("id", "username")
    if not isinstance(node.value["id"], str) or not _VARIABLE.fullmatch(node.value["id"]):
        # Not shown: where a name is expected, people paste the token.
        raise node.fail("must be the id of a token: letters, digits and _", "id")
    return Token(node.value["id"], node.text("username", _USERNAME, "a user name without a colon"))


def _push(node: Node | None) -> Push | None:
    if node is None:
        return None
    node.only("branches", "tags", "delete", "force")
    globs = {
        kind: tuple(Node({"glob": item.value}, item.path).text("glob", _GLOB, "a glob") for item in node.items(kind))
        for kind in ("branches", "tags")
    }
    return Push(globs["branches"], globs["tags"], node.flag("delete"), node.flag("force"))
