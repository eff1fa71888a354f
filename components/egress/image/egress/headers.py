"""Request headers: what makes a request ambiguous is refused, what is not the agent's to say is taken off."""

import base64
import re

from .rules import Auth

Fields = tuple[tuple[bytes, bytes], ...]

_METHOD = re.compile(r"[A-Za-z][A-Za-z-]{0,31}")
_NAME = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OVERRIDES = frozenset((b"x-http-method-override", b"x-http-method", b"x-method-override"))
# Servers and frameworks let these replace the target that was decided on.
_RETARGETS = frozenset(
    (b"x-original-url", b"x-rewrite-url", b"x-original-host", b"x-host", b"x-http-host-override", b"forwarded")
)
_FRAMING = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade"))
_HOP = frozenset((b"connection", b"keep-alive", b"te", b"http2-settings"))


def canonical_name(name: bytes) -> bytes:
    """Lower case, `_` as `-`: servers that put headers into CGI variables cannot tell the two apart."""
    return name.lower().replace(b"_", b"-")


def fault(fields: Fields, method: str, version: str) -> str | None:
    """What is malformed about a request's head, or None."""
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        return "only HTTP/1.0 and HTTP/1.1 are spoken here"
    if not _METHOD.fullmatch(method):
        return "the method is not a token"
    hosts = 0
    for name, value in fields:
        if not _NAME.fullmatch(name):
            return "a header's name is not a token"
        if b"_" in name and canonical_name(name) in _FRAMING:
            return "a header's name is a look-alike of one that frames the request"
        if b"\r" in value or b"\n" in value or b"\0" in value:
            return "a header's value holds a line break or NUL"
        hosts += name.lower() == b"host"
    if hosts != 1:
        return "it needs exactly one Host header"
    return None


def overrides_method(fields: Fields, query: str) -> bool:
    """Whether a server could take another method than the one that was decided on."""
    return any(canonical_name(name) in _OVERRIDES for name, _ in fields) or re.search(
        r"(?:^|&)(?:_|%5f)method=", query, re.IGNORECASE
    ) is not None


def upgrade_of(fields: Fields) -> str | None:
    """The protocol of an Upgrade request in lower case; None where there is none."""
    values = [value for name, value in fields if canonical_name(name) == b"upgrade"]
    return b", ".join(values).decode("latin-1").strip().lower() or None if values else None


def clean(fields: Fields, strip: frozenset[str], host: bytes, *, upgrade: bool, identity: bool) -> Fields:
    """The headers that go on: in order, without what is not the agent's to say, with `Host` as decided.

    `strip`: lower-case names that are taken off besides. `identity`: ask for an uncompressed body.
    """
    kept = [(b"Host", host)]
    close = False
    for name, value in fields:
        key = canonical_name(name)
        if key == b"connection":
            close = close or b"close" in [token.strip().lower() for token in value.split(b",")]
        if key == b"host" or key in _HOP or key in _OVERRIDES or key in _RETARGETS:
            continue
        if key.startswith((b"proxy-", b"x-forwarded-")) or key.decode("latin-1") in strip:
            continue
        if (key == b"upgrade" and not upgrade) or (key == b"accept-encoding" and identity):
            continue
        kept.append((name, value))
    if upgrade:
        kept.append((b"Connection", b"Upgrade"))
    elif close:
        kept.append((b"Connection", b"close"))
    if identity:
        kept.append((b"Accept-Encoding", b"identity"))
    return tuple(kept)


def put_on(fields: Fields, auth: Auth, token: bytes) -> Fields:
    """Sets a credential; every header of that name is replaced."""
    name = auth.header.encode()
    if auth.scheme == "bearer":
        value = b"Bearer " + token
    elif auth.scheme == "basic":
        value = b"Basic " + base64.b64encode(f"{auth.username}:".encode() + token)
    else:
        value = token
    wanted = canonical_name(name)
    return (*(pair for pair in fields if canonical_name(pair[0]) != wanted), (name, value))
