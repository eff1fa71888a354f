"""mitmproxy's hooks: each request is decided here, and leaves here as the rules want it."""

import re
import time

from mitmproxy import http
from mitmproxy import tls

from .. import headers
from ..policy import Policy
from ..refusal import Target
from ..rules import Decision
from ..rules import Facts
from ..rules import Rules
from ..rules import decide_request
from ..rules.hosts import split_authority
from .certs import AgentSide
from .certs import ServerSide
from .exchange import Conn
from .exchange import Exchange
from .exchange import refuse
from .limits import BUFFERED_BODY
from .live import Entry
from .live import Live

_DEFAULT_PORTS = {"https": 443, "http": 80}
_SIZE = re.compile(r"\d{1,6}")
# pipelock 2.3's own answers are Go's http.Error: one line of plain text, and no other header.
_BLOCKED = re.compile(r"(?:blocked: |airlock: )(.+)\n?|(authority mismatch): blocked\n?")
_BLOCK_BODY = 4 * 1024
_BLOCK_HEADERS = frozenset(("content-type", "content-length", "x-content-type-options", "x-pipelock-hint", "date", "connection"))


class Egress:
    """The addon. Its `Conn` of each connection is found as the client's attribute `bottle`."""

    def __init__(self, policy: Policy, agent_side: AgentSide, server_side: ServerSide, live: Live) -> None:
        self._policy = policy
        self._agent_side = agent_side
        self.server_side = server_side
        self._live = live

    # --- TLS ---

    def tls_start_client(self, data: tls.TlsData) -> None:
        """TLS with the agent: a certificate for the host that it asked for."""
        data.ssl_conn = self._agent_side.connection(data.context.client.bottle.host)

    def tls_start_server(self, data: tls.TlsData) -> None:
        """TLS with a server: verified by name."""
        data.ssl_conn = self.server_side.connection(data.conn.address[0])

    def tls_established_server(self, data: tls.TlsData) -> None:
        """The way to the server is open: the clock on it stops."""
        data.conn.tunnel.established = True

    # --- requests ---

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """A CONNECT that is not a connection's first request; the first never comes here, see front.py."""
        self._begin(flow, Target(flow.request.host, flow.request.port, "https", "CONNECT"))
        refuse(flow, "bad_request", "CONNECT must be the first request of a connection", close=True)
        Exchange.of(flow).write(400)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decides the request as soon as its head is there."""
        if flow.error:
            self._begin(flow, Target(method=flow.request.method))
            return
        if failed := self._decide(flow):
            reason, detail = failed
            has_body = _body_size(flow.request) != 0
            # A connection that was refused as a whole would stay so, whatever is granted meanwhile.
            refused_whole = flow.client_conn.bottle.refusal is not None
            refuse(flow, reason, detail, close=has_body or refused_whole or reason == "bad_request")
            flow.request.stream = has_body
            flow.request.headers.pop("expect", None)  # nobody waits for the body

    def _begin(self, flow: http.HTTPFlow, target: Target) -> Exchange:
        conn: Conn = flow.client_conn.bottle
        conn.requests += 1
        exchange = Exchange(conn, target)
        exchange.attach(flow)
        conn.current = exchange
        return exchange

    def _decide(self, flow: http.HTTPFlow) -> tuple[str, str | None] | None:
        """Makes the request ready to go on, or returns why not (reason, detail)."""
        request = flow.request
        conn: Conn = flow.client_conn.bottle
        fields = request.data.headers.fields
        host, port = conn.host, conn.port
        scheme = "https" if conn.tls else "http"
        authority = request.data.authority
        # As sent: `request.method` is in upper case, whatever goes on.
        method = request.data.method.decode("latin-1")
        fault = headers.fault(fields, method, request.http_version)
        path, _, query = request.path.partition("?")
        if conn.host is None and authority:
            scheme = request.scheme
            host, port = split_authority(authority, _DEFAULT_PORTS.get(scheme)) or (None, None)
        target = Target(host, port, scheme, method, path)
        exchange = self._begin(flow, target)
        if conn.refusal:
            return conn.refusal
        if fault:
            return "bad_request", fault
        if conn.host is not None and authority:
            return "bad_request", "an absolute URL has no place inside a tunnel"
        if conn.host is None and not authority:
            return "bad_request", "this is a proxy; ask for an absolute http:// URL, or CONNECT"
        if host is None or port is None:
            return "host_not_allowed", "the host is no plain host name"
        if split_authority(request.data.headers["host"].encode("utf-8", "surrogateescape"), _DEFAULT_PORTS[scheme]) != (host, port):
            return "host_mismatch", None
        if conn.host is None and scheme != "http":
            return "scheme_not_allowed", "use CONNECT for https"
        upgrade = headers.upgrade_of(fields)
        if upgrade not in (None, "websocket"):
            return "upgrade_not_allowed", None
        facts = Facts(scheme, host, port, method, request.path, upgrade is not None)
        decision = decide_request(self._policy.rules, facts, time.time())
        if not decision.allowed:
            return decision.reason, decision.detail
        exchange.rule = decision.rule
        exchange.websocket = facts.websocket
        exchange.inspected = decision.inspect
        if decision.methods_held and headers.overrides_method(fields, query):
            return "method_override", None
        if facts.websocket and (fault := _websocket_fault(request)):
            return "bad_request", fault
        if failed := self._rewrite(flow, facts, decision):
            return failed
        self._watch(exchange, facts, decision)
        return None

    def _rewrite(self, flow: http.HTTPFlow, facts: Facts, decision: Decision) -> tuple[str, str | None] | None:
        request = flow.request
        default_port = facts.port == _DEFAULT_PORTS[facts.scheme]
        authority = (facts.host if default_port else f"{facts.host}:{facts.port}").encode()
        fields = headers.clean(
            request.data.headers.fields,
            self._policy.rules.strip_headers,
            authority,
            upgrade=facts.websocket,
            identity=decision.inspect,
        )
        if decision.auth:
            token = self._policy.tokens.get(decision.auth.token)
            if token is not None:
                fields = headers.put_on(fields, decision.auth, token)
            elif not decision.auth.optional:
                return "token_missing", None
        size = _body_size(request)
        request.headers = http.Headers(fields)
        request.data.host, request.data.port = facts.host, facts.port
        if facts.scheme == "http":
            # In absolute form pipelock reads plain HTTP and holds the whole body (10 MB of a package index
            # for minutes); what it is not to inspect goes through a tunnel.
            request.data.scheme, request.data.authority = b"http", authority if decision.inspect else b""
        # pipelock ends an inspected connection after each response: one that is used again may be lost.
        request.last_on_connection = decision.inspect
        exchange = Exchange.of(flow)
        if size is None or size > BUFFERED_BODY:
            request.stream = exchange.count_sent
        else:
            exchange.sent = size
        return None

    def _watch(self, exchange: Exchange, facts: Facts, decision: Decision) -> None:
        """What may outlive its rule is registered, to be ended with it."""

        def websocket(now: float) -> float | None | bool:
            rules: Rules = self._policy.rules
            later = decide_request(rules, facts, now)
            return later.expires if later.allowed else False

        def response(now: float) -> float | bool:
            assert decision.expires is not None
            return decision.expires if decision.expires > now else False

        if facts.websocket or decision.expires is not None:
            exchange.entry = Entry(websocket if facts.websocket else response, exchange.conn.close)
            self._live.add(exchange.entry)

    # --- responses ---

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Every response is streamed: the first event of a stream must not wait for the second."""
        exchange = Exchange.of(flow)
        if exchange.reason:
            return
        response = flow.response
        if response.status_code == 101:
            if not exchange.websocket or response.headers.get("upgrade", "").strip().lower() != "websocket":
                exchange.reason, exchange.detail = "upgrade_not_allowed", "the server switched protocols unasked"
                flow.kill()
            return
        # What may be pipelock's own is small and taken whole: response() puts ours in its place.
        if not (exchange.inspected and _may_be_pipelocks(response)):
            response.stream = exchange.count_received
        # Hop by hop (RFC 9110 §7.6.1): whether the server keeps its connection says nothing about the agent's.
        if "connection" in response.headers or "keep-alive" in response.headers:
            tokens = [token.strip().lower() for token in response.headers.get("connection", "").split(",")]
            response.last_on_connection = "close" in tokens
            response.headers.pop("connection", None)
            response.headers.pop("keep-alive", None)

    def response(self, flow: http.HTTPFlow) -> None:
        """The response is complete, or a WebSocket begins."""
        exchange = Exchange.of(flow)
        if not flow.response.stream and not exchange.reason and flow.response.raw_content:
            exchange.received = len(flow.response.raw_content)
            if exchange.inspected and (blocked := _blocked(flow.response)):
                refuse(flow, "content_refused", blocked)
        exchange.write(flow.response.status_code)
        if flow.response.status_code != 101:
            self._end(exchange)

    def error(self, flow: http.HTTPFlow) -> None:
        """The exchange broke off."""
        exchange = Exchange.of(flow)
        if flow.error and not exchange.reason and not flow.response and flow.error.msg.startswith("Received "):
            exchange.reason, exchange.detail = "bad_request", flow.error.msg.partition(",")[0]
        exchange.write(flow.response.status_code if flow.response else None, "broken off")
        self._end(exchange)

    def _end(self, exchange: Exchange) -> None:
        if exchange.entry:
            self._live.discard(exchange.entry)
            exchange.entry = None

    def connection_closed(self, conn: Conn) -> None:
        """The agent's connection is gone, and with it what ran on it."""
        exchange = conn.current
        if exchange is None:
            return
        if exchange.websocket and exchange.logged and exchange.entry:
            exchange.write_closed()
        exchange.write(None, "broken off")
        self._end(exchange)


def _may_be_pipelocks(response: http.Response) -> bool:
    """Whether a response has the head of pipelock's own. A server that speaks so only refuses itself."""
    fields = response.headers
    length = fields.get("content-length", "")
    return (
        response.status_code >= 400
        and fields.get("content-type") == "text/plain; charset=utf-8"
        and fields.get("x-content-type-options") == "nosniff"
        and bool(_SIZE.fullmatch(length))
        and int(length) <= _BLOCK_BODY
        and all(name.lower() in _BLOCK_HEADERS for name in fields)
    )


def _blocked(response: http.Response) -> str | None:
    """pipelock's reason where it answered in the server's place."""
    if not _may_be_pipelocks(response) or response.raw_content is None:
        return None
    match = _BLOCKED.fullmatch(response.raw_content.decode("utf-8", "replace"))
    return match and (match[1] or match[2])


def _body_size(request: http.Request) -> int | None:
    """Size of a request's body; None where only its end will tell."""
    fields = request.headers
    if "transfer-encoding" in fields:
        return None
    length = fields.get("content-length", "0")
    return int(length) if _SIZE.fullmatch(length) else None


def _websocket_fault(request: http.Request) -> str | None:
    """What is wrong about a WebSocket handshake (RFC 6455 §4.1)."""
    fields = request.headers
    if request.data.method != b"GET" or request.http_version != "HTTP/1.1" or _body_size(request) != 0:
        return "a WebSocket begins with a GET of HTTP/1.1 without a body"
    if fields.get("sec-websocket-version", "").strip() != "13" or "sec-websocket-key" not in fields:
        return "the WebSocket handshake is not version 13"
    return None
