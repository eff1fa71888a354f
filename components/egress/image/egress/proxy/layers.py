"""Where mitmproxy's HTTP layers do not do what a bottle needs.

- Heads are bounded, and what mitmproxy would answer itself reads like every refusal.
- A refusal is sent before the request's body has come, which is dropped instead of held.
- An idempotent request that a kept connection lost is sent again; a failed CONNECT shows pipelock's reason.
- An upgraded connection is relayed raw: mitmproxy would keep every WebSocket message in memory.
- Plain HTTP that pipelock is not to inspect goes to it by CONNECT.
- Trailers, on which mitmproxy's HTTP/1 gives up, are dropped (RFC 9110 §6.5.1 allows that).
"""

from collections.abc import Callable

import h11
from h11._readers import ChunkedReader
from mitmproxy.proxy import commands
from mitmproxy.proxy import events
from mitmproxy.proxy import context
from mitmproxy.proxy import layer
from mitmproxy.proxy import tunnel
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers import tcp
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.layers.http import _upstream_proxy

from .. import log
from ..refusal import Target
from ..refusal import raw_response
from .exchange import Exchange
from .exchange import refuse
from .limits import DRAINED_BODY
from .limits import MAX_HEAD
from .upstream import Failure
from .upstream import body_length
from .upstream import refusal_in

Commands = layer.CommandGenerator

# RFC 9110 §9.2.2
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))


class Server1(_http1.Http1Server):
    """The agent's side of HTTP/1."""

    def read_headers(self, event: events.ConnectionEvent) -> Commands[None]:
        yield from super().read_headers(event)
        if self.state == self.read_headers and len(self.buf) > MAX_HEAD:
            log.emit("decision", decision="refuse", reason="bad_request", detail="head too large")
            yield commands.SendData(self.conn, raw_response("bad_request", Target(), "the head is too large"))
            yield commands.CloseConnection(self.conn)
            self.state = self.done


class Client1(_http1.Http1Client):
    """The servers' side of HTTP/1."""

    def read_headers(self, event: events.ConnectionEvent) -> Commands[None]:
        yield from super().read_headers(event)
        if self.state == self.read_headers and len(self.buf) > MAX_HEAD:
            self.buf.maybe_extract_at_most(len(self.buf))
            yield commands.CloseConnection(self.conn)
            if self.stream_id is not None:
                yield http_layers.ReceiveHttp(
                    http_layers.ResponseProtocolError(
                        self.stream_id, "response head too large", http_layers.ErrorCode.GENERIC_SERVER_ERROR
                    )
                )
            self.state = self.done

    def mark_done(self, *, request: bool = False, response: bool = False) -> Commands[None]:
        last = getattr(self.request, "last_on_connection", False) or getattr(self.response, "last_on_connection", False)
        yield from super().mark_done(request=request, response=response)
        # Both sides done, and the connection kept: unless this exchange was to be its last.
        if last and self.state == self.read_headers and self.stream_id is None:
            yield commands.CloseConnection(self.conn)
            self.state = self.done


class Stream(http_layers.HttpStream):
    """One request and its response."""

    _sent_again = False
    _dropped = 0

    def start_request_stream(self) -> Commands[None]:
        if not self.flow.response:
            yield from super().start_request_stream()
            return
        # Refused with a body still to come.
        self.client_state = self.state_drop_body
        yield from self.send_response()
        yield http_layers.SendHttp(http_layers.ResponseEndOfMessage(self.stream_id), self.context.client)

    def state_drop_body(self, event: events.Event) -> Commands[None]:
        if isinstance(event, http_layers.RequestData):
            self._dropped += len(event.data)
            if self._dropped > DRAINED_BODY:
                self.client_state = self.state_errored
                yield commands.CloseConnection(self.context.client)
        elif isinstance(event, http_layers.RequestEndOfMessage):
            self.client_state = self.state_done
            self.flow.live = False
            yield http_layers.DropStream(self.stream_id)

    def make_server_connection(self) -> Commands[bool]:
        connection, error = yield http_layers.GetHttpConnection(
            (self.flow.request.host, self.flow.request.port),
            self.flow.request.scheme == "https",
            self.flow.server_conn.via,
            self.flow.server_conn.transport_protocol,
        )
        if connection:
            self.context.server = self.flow.server_conn = connection
            return True
        if isinstance(error, Failure):
            yield from self.answer_failure(error.reason, str(error))
        elif Exchange.of(self.flow).conn.timed_out:
            yield from self.answer_failure("upstream_timeout", "no connection in time")
        elif error == "connection closed":
            yield from self.answer_failure("upstream_closed", "it closed the connection during TLS")
        else:
            yield from self.answer_failure("upstream_tls", error)
        return False

    def answer_failure(self, reason: str, detail: str | None) -> Commands[None]:
        """Answers in the server's place, and ends the agent's connection: its server side is broken."""
        body_to_come = self.client_state not in (self.state_done, self.state_errored)
        refuse(self.flow, reason, detail, close=True)
        yield from self.send_response()
        if self.client_state != self.state_done:
            yield http_layers.SendHttp(http_layers.ResponseEndOfMessage(self.stream_id), self.context.client)
        if body_to_come:
            self.client_state = self.state_drop_body

    def handle_protocol_error(self, event) -> Commands[None]:
        waiting = self.server_state == self.state_wait_for_response_headers
        if not (isinstance(event, http_layers.ResponseProtocolError) and waiting and not self.flow.response):
            yield from super().handle_protocol_error(event)
        elif self._may_send_again(event.message):
            self._sent_again = True
            yield from self._send_again()
        elif self.client_state != self.state_errored:
            yield from self.answer_failure("upstream_closed", None)

    def _may_send_again(self, message: str) -> bool:
        """Not a byte of an answer has come, the request is still whole here, and repeating it does no harm."""
        return (
            message == "server closed connection"
            and not self._sent_again
            and self.client_state == self.state_done
            and not self.flow.request.stream
            and self.flow.request.method in _IDEMPOTENT
            and not Exchange.of(self.flow).websocket
        )

    def _send_again(self) -> Commands[None]:
        if not (yield from self.make_server_connection()):
            return
        content = self.flow.request.raw_content
        server = self.context.server
        yield http_layers.SendHttp(http_layers.RequestHeaders(self.stream_id, self.flow.request, not content), server)
        if content:
            yield http_layers.SendHttp(http_layers.RequestData(self.stream_id, content), server)
        yield http_layers.SendHttp(http_layers.RequestEndOfMessage(self.stream_id), server)

    def flow_done(self) -> Commands[None]:
        if not self.flow.response or self.flow.response.status_code != 101:
            yield from super().flow_done()
            return
        self.child_layer = tcp.TCPLayer(self.context, ignore=True)
        self._handle_event = self.passthrough
        yield from self.child_layer.handle_event(events.Start())
        yield http_layers.SendHttp(http_layers.ResponseEndOfMessage(self.stream_id), self.context.client)


class UpstreamConnect(_upstream_proxy.HttpUpstreamProxy):
    """The CONNECT to pipelock, with the reason of a refusal kept."""

    inspected: Callable[[str], bool] = staticmethod(lambda host: True)
    """Whether pipelock is to read the host's plain HTTP; set by install()."""
    _refusal: bytes = b""

    @classmethod
    def make(cls, ctx: context.Context, send_connect: bool) -> tunnel.LayerStack:
        """mitmproxy asks plain HTTP of an upstream proxy in absolute form; here only of hosts that it inspects."""
        host = ctx.server.address[0] if ctx.server.address else ""
        return super().make(ctx, send_connect or not cls.inspected(host))

    def start_handshake(self) -> Commands[None]:
        self.conn.tunnel = self.tunnel_connection  # type: ignore[attr-defined]
        self.tunnel_connection.established = not self.send_connect  # type: ignore[attr-defined]
        yield from super().start_handshake()

    def receive_handshake_data(self, data: bytes) -> Commands[tuple[bool, str | None]]:
        if not self.send_connect:
            return (yield from super().receive_handshake_data(data))
        self._refusal += data
        head, separator, body = self._refusal.partition(b"\r\n\r\n")
        if not separator:
            if len(head) > MAX_HEAD:
                return False, Failure("upstream_closed", "pipelock's answer is too large")
            return False, None
        head += separator
        failure = refusal_in(head)
        if failure is None:
            self._refusal = b""
            if body:
                yield from self.receive_data(body)
            return True, None
        if len(body) < body_length(head):
            return False, None
        return False, refusal_in(head, body)

    def _handshake_finished(self, err: str | None) -> Commands[None]:
        if err == "connection closed" and getattr(self.tunnel_connection, "timed_out", False):
            err = Failure("upstream_timeout", "pipelock did not answer in time")
        elif err == "connection closed":
            head, _, body = self._refusal.partition(b"\r\n\r\n")
            err = (refusal_in(head + b"\r\n", body) if head else None) or Failure(
                "upstream_closed", "pipelock closed the connection"
            )
        yield from super()._handshake_finished(err)


class Opened(layer.Layer):
    """Bottom of a connection's stack; what lies above it is given at once instead of being guessed."""

    child: layer.Layer

    def _handle_event(self, event: events.Event) -> Commands[None]:
        self._handle_event = self.child.handle_event  # type: ignore[method-assign]
        yield from self.child.handle_event(event)


class _NoTrailers(ChunkedReader):
    def __call__(self, buffer):
        event = super().__call__(buffer)
        return h11.EndOfMessage() if isinstance(event, h11.EndOfMessage) and event.headers else event


def _body_reader(expected_size: int | None):
    return _NoTrailers() if expected_size is None else _make_body_reader(expected_size)


def _error_response(status_code: int, message: str = "") -> bytes:
    if status_code >= 500:
        return raw_response("upstream_closed", Target())
    log.emit("decision", decision="refuse", reason="bad_request", detail=log.clip(message))
    return raw_response("bad_request", Target(), message)


_make_body_reader = _http1.make_body_reader


def install(inspected: Callable[[str], bool]) -> None:
    """Puts these in mitmproxy's place. It builds its layers by module-level names, so those are replaced.

    `inspected` says whether pipelock is to read a host's traffic.
    """
    UpstreamConnect.inspected = staticmethod(inspected)
    _http1.make_body_reader = _body_reader
    _http1.make_error_response = _error_response
    http_layers.Http1Server = Server1
    http_layers.Http1Client = Client1
    http_layers.HttpStream = Stream
    _upstream_proxy.HttpUpstreamProxy = UpstreamConnect


