"""pipelock, egress's only way on: its address, and a CONNECT through it."""

import asyncio
import re
import socket
import time
from urllib.parse import urlsplit

from .limits import CONNECT_TIMEOUT
from .limits import MAX_HEAD
from .limits import RESTART_TIMEOUT

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?\r?\n")
# In pipelock 2.3 a name that cannot be resolved fails its check of addresses.
_UNRESOLVED = re.compile(r"DNS resolution error for [^\s:]+: (.+)")
_MAX_REASON = 2048
_FRESH = 5.0
_RETRY = 0.1


class Failure(str):
    """Why a connection could not be made: the text is shown to the agent, `reason` is the refusal's."""

    reason: str

    def __new__(cls, reason: str, text: str) -> "Failure":
        failure = super().__new__(cls, text)
        failure.reason = reason
        return failure


class UpstreamError(Exception):
    """Carries a Failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class Upstream:
    """The upstream proxy of UPSTREAM_PROXY (`http://host:port`)."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or not parts.port or parts.path not in ("", "/"):
            raise ValueError("UPSTREAM_PROXY must be http://host:port")
        self.host = parts.hostname
        self.port = parts.port
        self._address: tuple[str, int] | None = None
        self._looked_up = 0.0

    async def address(self) -> tuple[str, int]:
        """Its address, looked up anew every few seconds at most; the last known one while look-ups fail."""
        if self._address is None or time.monotonic() - self._looked_up > _FRESH:
            self._looked_up = time.monotonic()
            try:
                found = await asyncio.get_running_loop().getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
                self._address = found[0][4][:2]
            except OSError:
                if self._address is None:
                    raise UpstreamError(Failure("upstream_unreachable", "pipelock's name is not known")) from None
        return self._address

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw connection to `host:port`. Raises UpstreamError, with pipelock's own reason where it has one."""
        writer = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                reader, writer = await connect_tcp(await self.address(), MAX_HEAD)
                writer.write(b"CONNECT %b:%d HTTP/1.1\r\nHost: %b:%d\r\n\r\n" % (host.encode(), port, host.encode(), port))
                head = await reader.readuntil(b"\r\n\r\n")
                failure = refusal_in(head)
                if failure is None:
                    return reader, writer
                failure = refusal_in(head, await _some_body(reader, head))
        except TimeoutError:
            failure = Failure("upstream_timeout", f"no connection within {CONNECT_TIMEOUT:.0f} s")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            failure = Failure("upstream_closed", "pipelock closed the connection")
        except OSError as error:
            failure = unreachable(error)
        if writer:
            writer.close()
        assert failure
        raise UpstreamError(failure)


async def connect_tcp(address: tuple[str, int], limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to pipelock itself; while it restarts, it is tried again. Raises OSError."""
    last = time.monotonic() + RESTART_TIMEOUT
    while True:
        try:
            return await asyncio.open_connection(*address, limit=limit)
        except OSError:
            if time.monotonic() > last:
                raise
        await asyncio.sleep(_RETRY)


def unreachable(error: BaseException) -> Failure:
    """The failure for a connection to pipelock itself that could not be made."""
    if isinstance(error, TimeoutError):
        return Failure("upstream_timeout", "pipelock does not answer")
    detail = getattr(error, "strerror", None) or type(error).__name__
    return Failure("upstream_unreachable", f"pipelock cannot be reached ({detail})")


def refusal_in(head: bytes, body: bytes = b"") -> Failure | None:
    """Reads a response to CONNECT: None where it was granted, else pipelock's reason."""
    status = _STATUS.match(head)
    if status is None:
        return Failure("upstream_closed", "pipelock's answer is not HTTP")
    code = int(status[1])
    if 200 <= code < 300:
        return None
    words = body.decode("utf-8", "replace") or (status[2] or b"").decode("latin-1")
    words = " ".join(words.split()) or str(code)
    if code == 504:
        return Failure("upstream_timeout", words)
    if unresolved := _UNRESOLVED.search(words):
        return Failure("upstream_unreachable", f"pipelock cannot resolve its name ({unresolved[1]})")
    return Failure("upstream_unreachable" if code == 502 else "upstream_refused", words)


def body_length(head: bytes) -> int:
    """How many bytes of a refusal's body are worth waiting for."""
    found = re.search(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", head, re.IGNORECASE)
    return min(int(found[1]), _MAX_REASON) if found else 0


async def _some_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    try:
        return await reader.readexactly(body_length(head))
    except asyncio.IncompleteReadError as error:
        return error.partial
