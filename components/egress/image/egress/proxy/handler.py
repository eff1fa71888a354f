"""Runs mitmproxy's layers for one agent's connection.

mitmproxy's own handler makes a task for each hook and queues for a lock at each event. Our hooks never wait,
so here events are handled one after the other without either: about a third less CPU a request.
"""

import asyncio
import logging
import time
import traceback
from collections import deque
from types import SimpleNamespace

from mitmproxy.connection import ConnectionState
from mitmproxy.connection import Server
from mitmproxy.proxy import commands
from mitmproxy.proxy import events
from mitmproxy.proxy import mode_specs
from mitmproxy.proxy import server
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.tls import ClientTLSLayer

from .. import log
from .addon import Egress
from .exchange import Conn
from .layers import Opened
from .limits import CONNECT_TIMEOUT
from .limits import IDLE_TIMEOUT
from .limits import READ_AHEAD
from .upstream import connect_tcp
from .upstream import unreachable

# All options that mitmproxy's layers read. HTTP/2 is off toward both sides: one parser less that could
# read a request differently from us.
OPTIONS = SimpleNamespace(
    body_size_limit=None,
    connection_strategy="lazy",
    http2=False,
    http2_ping_keepalive=0,
    http_connect_send_host_header=True,
    keep_host_header=True,
    normalize_outbound_headers=True,
    proxy_debug=False,
    rawtcp=False,
    store_streamed_bodies=False,
    stream_large_bodies=None,
    tcp_timeout=IDLE_TIMEOUT,
    validate_inbound_headers=True,
    websocket=False,
)


class Reader:
    """What is left to read of an agent's connection: first what was read ahead."""

    def __init__(self, ahead: bytes, reader: asyncio.StreamReader) -> None:
        self._ahead = ahead
        self._reader = reader

    async def read(self, size: int) -> bytes:
        """Like StreamReader.read."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        return await self._reader.read(size)


class Handler(server.LiveConnectionHandler):
    """One agent's connection, opened."""

    def __init__(
        self, addon: Egress, conn: Conn, reader: Reader, writer: asyncio.StreamWriter, via: tuple[str, int]
    ) -> None:
        mode = mode_specs.ProxyMode.parse(f"upstream:http://{via[0]}:{via[1]}")
        super().__init__(reader, writer, OPTIONS, mode)  # type: ignore[arg-type]
        self._addon = addon
        self._queue: deque[events.Event] = deque()
        self._busy = False
        self._conn = conn
        conn.close = self._abort
        self.client.bottle = conn  # type: ignore[attr-defined]
        self.layer = self._stack(conn, via)

    def _stack(self, conn: Conn, via: tuple[str, int]) -> Opened:
        context = self.layer.context
        top = Opened(context)
        if conn.host is None or conn.port is None:
            top.child = HttpLayer(context, HTTPMode.upstream)
            return top
        context.server.address = (conn.host, conn.port)
        context.server.via = ("http", via)
        if conn.tls:
            context.server.tls = True
            tls_layer = ClientTLSLayer(context)
            tls_layer.child_layer = HttpLayer(context, HTTPMode.transparent)
            top.child = tls_layer
        else:
            top.child = HttpLayer(context, HTTPMode.upstream)
        return top

    def _abort(self) -> None:
        io = self.transports.get(self.client)
        if io and io.writer:
            io.writer.transport.abort()  # type: ignore[union-attr]

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Hooks outside the layers (connections opened and closed): none is ours."""

    def log(self, message: str, level: int = logging.INFO, exc_info=None) -> None:
        """mitmproxy's chatter is dropped: it may quote headers."""

    async def run(self) -> None:
        """Serves the connection to its end."""
        try:
            await self.handle_client()
        finally:
            self._addon.connection_closed(self._conn)

    async def server_event(self, event: events.Event) -> None:
        """Handles an event, and all that follow from it."""
        self._queue.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                self.timeout_watchdog.register_activity()
                for command in self.layer.handle_event(self._queue.popleft()):
                    self._execute(command)
        except Exception as error:  # whatever a peer sent: this connection ends, egress goes on
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log.emit("internal_error", kind=type(error).__name__, at=f"{frame.filename.rpartition('/')[2]}:{frame.lineno}")
            self._queue.clear()
            self._abort()
        finally:
            self._busy = False

    def _execute(self, command: commands.Command) -> None:
        if isinstance(command, commands.SendData):
            io = self.transports.get(command.connection)
            if io and io.writer and not io.writer.is_closing():
                io.writer.write(command.data)
        elif isinstance(command, commands.StartHook):
            hook = getattr(self._addon, command.name, None)
            if hook:
                hook(*command.args())
            if command.blocking:
                self._queue.append(events.HookCompleted(command))
        elif isinstance(command, commands.OpenConnection):
            task = asyncio.create_task(self.open_connection(command))
            self.transports[command.connection] = server.ConnectionIO(handler=task)
        elif isinstance(command, commands.CloseConnection):
            if command.connection in self.transports:
                half = isinstance(command, commands.CloseTcpConnection) and command.half_close
                self.close_connection(command.connection, half)

    async def open_connection(self, command: commands.OpenConnection) -> None:
        """Connects to pipelock, the only address there is."""
        connection = command.connection
        assert isinstance(connection, Server) and connection.address
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                reader, writer = await connect_tcp(connection.address[:2], READ_AHEAD)
        except (OSError, asyncio.CancelledError) as error:
            self.transports.pop(connection, None)
            connection.error = unreachable(error)
            await self.server_event(events.OpenConnectionCompleted(command, connection.error))
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        connection.timestamp_start = connection.timestamp_tcp_setup = time.time()
        connection.state = ConnectionState.OPEN
        connection.peername = writer.get_extra_info("peername")
        connection.sockname = writer.get_extra_info("sockname")
        self.transports[connection] = server.ConnectionIO(asyncio.current_task(), reader, writer)
        watch = asyncio.get_running_loop().call_later(CONNECT_TIMEOUT, self._give_up, connection)
        await self.server_event(events.OpenConnectionCompleted(command, None))
        try:
            await self.handle_connection(connection)
        finally:
            watch.cancel()
            connection.timestamp_end = time.time()

    def _give_up(self, connection: Server) -> None:
        """The tunnel through pipelock, or TLS in it, has not come up in time."""
        io = self.transports.get(connection)
        if io and io.writer and not getattr(connection, "established", False):
            self._conn.timed_out = connection.timed_out = True  # type: ignore[attr-defined]
            io.writer.transport.abort()  # type: ignore[union-attr]
