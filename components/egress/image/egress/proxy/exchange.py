"""What egress knows of a connection and of one exchange on it; how an exchange is refused and logged."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

from mitmproxy import http

from .. import log
from ..refusal import Target
from ..refusal import body_of
from ..refusal import headers_of
from ..refusal import status_of
from .live import Entry

_ids = itertools.count(1)
_KEY = "bottle"


@dataclass(slots=True)
class Conn:
    """An agent's connection."""

    host: str | None = None
    """Target of its CONNECT; None for plain proxy requests."""
    port: int | None = None
    refusal: tuple[str, str | None] | None = None
    """Reason and detail: set where every request on it is refused."""
    tls: bool = False
    """Whether egress speaks TLS with the agent on it."""
    close: Callable[[], None] = lambda: None
    requests: int = 0
    current: "Exchange | None" = None
    timed_out: bool = False
    """Whether egress gave up on the connection to the server."""


class Exchange:
    """One request and its answer."""

    __slots__ = ("id", "conn", "started", "target", "rule", "reason", "detail", "sent", "received", "websocket", "inspected", "entry", "logged")

    def __init__(self, conn: Conn, target: Target) -> None:
        self.id = next(_ids)
        self.conn = conn
        self.started = time.monotonic()
        self.target = target
        self.rule: str | None = None
        self.reason: str | None = None
        self.detail: str | None = None
        self.sent = 0
        self.received = 0
        self.websocket = False
        self.inspected = False
        self.entry: Entry | None = None
        self.logged = False

    @staticmethod
    def of(flow: http.HTTPFlow) -> "Exchange":
        """The exchange of a flow."""
        return flow.metadata[_KEY]

    def attach(self, flow: http.HTTPFlow) -> None:
        """Makes it the exchange of a flow."""
        flow.metadata[_KEY] = self

    def count_sent(self, data: bytes) -> bytes:
        """A stream of a request's body: passes it on, and counts."""
        self.sent += len(data)
        return data

    def count_received(self, data: bytes) -> bytes:
        """A stream of a response's body: passes it on, and counts."""
        self.received += len(data)
        return data

    def write(self, status: int | None, ended: str | None = None) -> None:
        """Its line in the log; only the first call writes."""
        if self.logged:
            return
        self.logged = True
        target = self.target
        log.emit(
            "decision",
            id=self.id,
            decision="refuse" if self.reason else "allow",
            reason=self.reason,
            detail=log.clip(self.detail) if self.detail else None,
            rule=self.rule,
            method=target.method,
            scheme=target.scheme,
            host=target.host,
            port=target.port,
            path=log.clip(target.path) if target.path else None,
            status=status,
            sent=self.sent,
            received=self.received,
            ms=round((time.monotonic() - self.started) * 1000, 1),
            ended=ended,
        )

    def write_closed(self) -> None:
        """The line in the log that a WebSocket's end has of its own."""
        log.emit("closed", id=self.id, rule=self.rule, host=self.target.host, ms=round((time.monotonic() - self.started) * 1000, 1))


def refuse(flow: http.HTTPFlow, reason: str, detail: str | None = None, *, close: bool = False) -> None:
    """Answers a flow with a refusal. A body still to come is dropped, see `layers.Stream`."""
    exchange = Exchange.of(flow)
    exchange.reason, exchange.detail = reason, detail
    body = body_of(reason, exchange.target, detail)
    exchange.received = len(body)
    status = status_of(reason)
    flow.response = http.Response(
        http_version=b"HTTP/1.1",
        status_code=status,
        reason=b"Refused",
        headers=http.Headers(headers_of(reason, exchange.target, body, close)),
        content=body,
        trailers=None,
        timestamp_start=time.time(),
        timestamp_end=time.time(),
    )
