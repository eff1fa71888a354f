"""TLS ClientHello: the two extensions on which a raw tunnel is decided (RFC 8446 §4.1.2, RFC 6066 §3)."""

from dataclasses import dataclass

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_ENCRYPTED_CLIENT_HELLO = 0xFE0D


@dataclass(frozen=True, slots=True)
class Hello:
    """What a ClientHello says in the clear."""

    sni: str | None
    encrypted: bool
    """Whether it carries Encrypted ClientHello: then the name in the clear need not be the real one."""


class NotTls(ValueError):
    """The bytes are no TLS ClientHello."""


def parse_hello(data: bytes) -> Hello | None:
    """Reads a ClientHello from the first bytes of a stream; None: more bytes are needed. Raises NotTls."""
    message = _handshake_message(data)
    if message is None:
        return None
    try:
        return _read(message)
    except (IndexError, UnicodeDecodeError):
        raise NotTls("malformed ClientHello") from None


def _handshake_message(data: bytes) -> bytes | None:
    """Joins the records' contents up to one whole handshake message."""
    message = bytearray()
    position = 0
    while True:
        head = data[position : position + 5]
        if head and (head[0] != _HANDSHAKE or (len(head) > 1 and head[1] != 3)):
            raise NotTls("not a TLS handshake record")
        if len(head) < 5:
            return None
        length = int.from_bytes(head[3:5])
        if not 0 < length <= 16384 + 256:
            raise NotTls("bad record length")
        message += data[position + 5 : position + 5 + length]
        if message and message[0] != _CLIENT_HELLO:
            raise NotTls("not a ClientHello")
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4]):
            return bytes(message[4 : 4 + int.from_bytes(message[1:4])])
        if position + 5 + length > len(data):
            return None
        position += 5 + length


def _take(data: bytes, position: int, size: int) -> tuple[bytes, int]:
    """A vector with a length of `size` bytes before it."""
    length = int.from_bytes(data[position : position + size])
    end = position + size + length
    if position + size > len(data) or end > len(data):
        raise IndexError
    return data[position + size : end], end


def _read(body: bytes) -> Hello:
    position = 34  # version, random
    _, position = _take(body, position, 1)  # session id
    _, position = _take(body, position, 2)  # cipher suites
    _, position = _take(body, position, 1)  # compression methods
    sni: str | None = None
    seen: set[int] = set()
    if position < len(body):
        extensions, position = _take(body, position, 2)
        at = 0
        while at < len(extensions):
            kind = int.from_bytes(extensions[at : at + 2])
            content, at = _take(extensions, at + 2, 2)
            if kind in seen:
                raise IndexError  # RFC 8446 §4.2: not more than one of a kind
            seen.add(kind)
            if kind == _SERVER_NAME:
                sni = _server_name(content)
    if position != len(body):
        raise IndexError
    return Hello(sni, _ENCRYPTED_CLIENT_HELLO in seen)


def _server_name(content: bytes) -> str:
    names, end = _take(content, 0, 2)
    name, name_end = _take(names, 1, 2)
    if names[0] != 0 or end != len(content) or name_end != len(names):
        raise IndexError  # one name of type host_name, nothing else
    return name.decode("ascii").lower()
