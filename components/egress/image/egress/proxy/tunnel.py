"""Raw tunnels for hosts that need no opening: bytes are passed on as they are, with back-pressure."""

import asyncio
from collections.abc import Callable


class _Side(asyncio.Protocol):
    """One end of a tunnel; what it receives is written to the other end."""

    def __init__(self, transport: asyncio.Transport, tunnel: "Tunnel") -> None:
        self.transport = transport
        self.tunnel = tunnel
        self.other: _Side
        self.received = 0
        self.ended = False

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        self.ended = True
        if self.other.ended or not self.other.transport.can_write_eof():
            return False
        self.other.transport.write_eof()
        return True  # half-closed: the other direction goes on

    def connection_lost(self, exc: Exception | None) -> None:
        self.other.transport.close()
        self.tunnel.lost()


class Tunnel:
    """Two connections joined. `on_close` is called once, when both are gone."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        on_close: Callable[["Tunnel"], None],
    ) -> None:
        self._open = 2
        self._on_close = on_close
        self._client, self._server = (_Side(writer.transport, self) for _, writer in (client, server))
        self._client.other, self._server.other = self._server, self._client
        for (reader, writer), side in ((client, self._client), (server, self._server)):
            writer.transport.set_protocol(side)
            # What the stream reader has already taken from the socket.
            if early := bytes(reader._buffer):  # type: ignore[attr-defined]
                side.data_received(early)
            if reader.at_eof() or reader._eof:  # type: ignore[attr-defined]
                side.eof_received()
            writer.transport.resume_reading()

    def send_first(self, data: bytes) -> None:
        """Bytes of the client that were read before the tunnel was made."""
        self._client.data_received(data)

    @property
    def sent(self) -> int:
        """Bytes from the agent."""
        return self._client.received

    @property
    def received(self) -> int:
        """Bytes to the agent."""
        return self._server.received

    def abort(self) -> None:
        """Ends it at once."""
        self._client.transport.abort()
        self._server.transport.abort()

    def lost(self) -> None:
        self._open -= 1
        if self._open == 0:
            self._on_close(self)
