"""Accepts the agent's connections: reads what is asked for, decides CONNECTs, and hands on.

A CONNECT to a host that needs no opening becomes a raw tunnel, once its ClientHello names that very host. All
else goes through mitmproxy's layers: opened connections, plain requests, and TLS in which a refusal is answered.
"""

import asyncio
import ipaddress
import time

from .. import log
from ..policy import Policy
from ..refusal import Target
from ..refusal import raw_response
from ..rules import CONNECT_REFUSE
from ..rules import CONNECT_TUNNEL
from ..rules import ConnectDecision
from ..rules import decide_connect
from ..rules.hosts import split_authority
from .addon import Egress
from .exchange import Conn
from .exchange import Exchange
from .handler import Handler
from .handler import Reader
from .hello import Hello
from .hello import NotTls
from .hello import parse_hello
from .limits import HEAD_TIMEOUT
from .limits import MAX_CONNECTIONS
from .limits import MAX_HELLO
from .live import Entry
from .live import Live
from .tunnel import Tunnel
from .upstream import Upstream
from .upstream import UpstreamError

_HEALTH = b"GET /healthz HTTP/1.0\r\n"


class Front:
    """The acceptor. `accept` is asyncio's callback for new connections."""

    def __init__(self, policy: Policy, addon: Egress, upstream: Upstream, live: Live) -> None:
        self._policy = policy
        self._addon = addon
        self._upstream = upstream
        self._live = live
        self._connections = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection to its end."""
        if self._connections >= MAX_CONNECTIONS:
            log.emit("decision", decision="refuse", reason="too_many_connections", status=503)
            await _answer(writer, raw_response("too_many_connections", Target()))
            return
        self._connections += 1
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, TimeoutError):
            pass  # the agent went away, or said nothing
        finally:
            self._connections -= 1
            if not writer.transport.is_closing():
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_TIMEOUT):
                head = await reader.readuntil((b"\r\n\r\n", b"\n\n"))
        except asyncio.LimitOverrunError:
            await self._malformed(writer, "the head is too large")
            return
        if head.startswith(_HEALTH):
            await _answer(writer, b"HTTP/1.0 204 Healthy\r\n\r\n")
        elif head[:8].upper() == b"CONNECT ":
            await self._connect(head, reader, writer)
        else:
            await self._open(Conn(), head, reader, writer)

    async def _connect(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        words = head.partition(b"\n")[0].rstrip(b"\r").split(b" ")
        if len(words) != 3 or words[0] != b"CONNECT" or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            await self._malformed(writer, "the CONNECT is malformed")
            return
        authority = split_authority(words[1], None)
        if authority:
            host, port = authority
            decision = decide_connect(self._policy.rules, host, port, time.time())
        elif literal := _address(words[1]):
            host, port = literal
            decision = ConnectDecision(CONNECT_REFUSE, "host_not_allowed")
        else:
            await self._malformed(writer, "the CONNECT needs a plain host name and a port")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.timeout(HEAD_TIMEOUT):
                first, hello = await _first_bytes(reader)
        except NotTls:
            await self._malformed(writer, "the ClientHello is malformed")
            return
        conn = Conn(host, port, tls=hello is not None)
        if decision.kind == CONNECT_REFUSE:
            conn.refusal = (decision.reason or "host_not_allowed", None)
        elif hello is None:
            if not self._plain_allowed(host, port):
                conn.refusal = ("not_tls", None)
        elif hello.sni != host:
            conn.refusal = ("sni_mismatch", "the ClientHello " + ("names another host" if hello.sni else "names no host"))
        elif decision.kind == CONNECT_TUNNEL and not hello.encrypted:
            # With Encrypted ClientHello the real name is hidden: such a connection is opened instead, which ends
            # ECH here and holds each request to its Host header.
            if await self._tunnel(conn, decision, first, reader, writer):
                return
        await self._open(conn, first, reader, writer)

    def _plain_allowed(self, host: str, port: int) -> bool:
        """Plain HTTP inside a CONNECT (some clients do all their proxying so) is for plain rules only."""
        routes = self._policy.rules.routes_for(host)
        return any(r.scheme == "http" and r.port == port for r in routes) if routes else port == 80

    async def _open(self, conn: Conn, ahead: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if conn.host is not None and not conn.tls and not _looks_like_http(ahead):
            # Nobody would read an answer in HTTP.
            exchange = Exchange(conn, Target(conn.host, conn.port, "https", "CONNECT"))
            exchange.reason, exchange.detail = conn.refusal or ("not_tls", None)
            exchange.write(None)
            return
        try:
            via = await self._upstream.address()
        except UpstreamError as error:
            via = ("127.0.0.1", 9)
            conn.refusal = conn.refusal or (error.failure.reason, str(error.failure))
        await Handler(self._addon, conn, Reader(ahead, reader), writer, via).run()
        if conn.refusal and conn.requests == 0:
            exchange = Exchange(conn, Target(conn.host, conn.port, "https", "CONNECT"))
            exchange.reason, exchange.detail = conn.refusal
            exchange.write(None, "the agent left before it asked")

    async def _tunnel(
        self, conn: Conn, decision: ConnectDecision, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Joins agent and server; False where the server cannot be had (then `conn.refusal` says why)."""
        host, port = conn.host or "", conn.port or 0
        try:
            server = await self._upstream.connect(host, port)
        except UpstreamError as error:
            conn.refusal = (error.failure.reason, str(error.failure))
            return False
        exchange = Exchange(conn, Target(host, port, "https", "CONNECT"))
        exchange.rule = decision.rule
        done = asyncio.get_running_loop().create_future()
        tunnel = Tunnel((reader, writer), server, lambda _: done.done() or done.set_result(None))

        def verdict(now: float) -> float | None | bool:
            later = decide_connect(self._policy.rules, host, port, now)
            return later.expires if later.kind == CONNECT_TUNNEL else False

        entry = Entry(verdict, tunnel.abort)
        self._live.add(entry)
        tunnel.send_first(first)
        log.emit("tunnel", id=exchange.id, rule=decision.rule, host=host, port=port)
        try:
            await done
        finally:
            self._live.discard(entry)
            exchange.sent, exchange.received = tunnel.sent, tunnel.received
            exchange.write(200)
        return True

    async def _malformed(self, writer: asyncio.StreamWriter, detail: str) -> None:
        log.emit("decision", decision="refuse", reason="bad_request", status=400, detail=detail)
        await _answer(writer, raw_response("bad_request", Target(), detail))


async def _answer(writer: asyncio.StreamWriter, response: bytes) -> None:
    """Writes a last response and closes, so that what the agent still sends does not reset it away."""
    writer.write(response)
    if writer.can_write_eof():
        writer.write_eof()
    try:
        async with asyncio.timeout(2):
            await writer.drain()
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass


async def _first_bytes(reader: asyncio.StreamReader) -> tuple[bytes, Hello | None]:
    """What a client sends inside its tunnel, up to a whole ClientHello; without Hello where it is not TLS."""
    data = b""
    while True:
        more = await reader.read(MAX_HELLO)
        if not more:
            raise EOFError
        data += more
        if data[0] != 0x16:
            return data, None
        if len(data) > MAX_HELLO:
            raise NotTls("ClientHello too large")
        if hello := parse_hello(data):
            return data, hello


def _looks_like_http(data: bytes) -> bool:
    method = data[:20].partition(b" ")[0]
    return method.isalpha() and len(method) < 20


def _address(authority: bytes) -> tuple[str, int] | None:
    """`1.2.3.4:443` or `[::1]:443`: never allowed, but answered readably."""
    host, _, port = authority.decode("latin-1").rpartition(":")
    try:
        return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))), int(port) & 0xFFFF
    except ValueError:
        return None


