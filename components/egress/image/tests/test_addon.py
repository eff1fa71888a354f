import json
import time

import pytest
from mitmproxy import http
from mitmproxy.test import taddons
from mitmproxy.test import tflow
from mitmproxy.test import tutils

from egress.policy import Policy
from egress.proxy.addon import Egress
from egress.proxy.certs import AgentSide
from egress.proxy.certs import ServerSide
from egress.proxy.exchange import Conn
from egress.proxy.live import Live

NOW = 1767000000.0


@pytest.fixture
def egress(tmp_path, rules_text, authority, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: NOW)
    (tmp_path / "rules.yaml").write_text(rules_text)
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "LLM_KEY").write_bytes(b"the-real-key")
    policy = Policy(tmp_path / "rules.yaml", tmp_path / "tokens", tmp_path / "status.json")
    policy.start()
    live = Live()
    monkeypatch.setattr(live, "_arm", lambda due: None)  # no loop here; test_live.py has one
    egress = Egress(policy, AgentSide(authority.pem), ServerSide(authority.trust), live)
    with taddons.context(egress):
        yield egress


def ask(egress, url="https://api.example.com/v1/x", method="GET", *, headers=(), target=None, plain=False, host=None, version=b"HTTP/1.1"):
    """Sends one request's head through the addon, as it comes inside a tunnel, or plain."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    name, _, port = (target or authority).partition(":")
    fields = [(b"host", (host or authority).encode()), *((k.encode(), v.encode()) for k, v in headers)]
    flow = tflow.tflow(
        req=tutils.treq(
            method=method.encode(),
            scheme=scheme.encode(),
            authority=authority.encode() if plain else b"",
            path=(slash + path).encode(),
            http_version=version,
            headers=http.Headers(fields),
        )
    )
    if plain:
        flow.client_conn.bottle = Conn()
    else:
        default = 443 if scheme == "https" else 80
        flow.client_conn.bottle = Conn(name, int(port or default), tls=scheme == "https")
    egress.requestheaders(flow)
    return flow


def reason(flow):
    return flow.response.headers["x-bottle-refused"] if flow.response else None


def test_a_request_goes_on_with_the_real_key_alone(egress):
    flow = ask(egress, headers=[("x-api-key", "placeholder"), ("Authorization", "Bearer p"), ("accept", "*/*")])
    assert reason(flow) is None
    assert flow.request.headers.fields == (
        (b"Host", b"api.example.com"),
        (b"accept", b"*/*"),
        (b"x-api-key", b"the-real-key"),
    )


def test_an_optional_token_may_be_missing(egress):
    flow = ask(egress, "https://a.git.example.com/x", headers=[("authorization", "Basic placeholder")])
    assert reason(flow) is None and "authorization" not in flow.request.headers


def test_a_missing_token_is_a_503_that_says_so(egress, tmp_path):
    (tmp_path / "tokens" / "LLM_KEY").unlink()
    egress._policy.reload()
    flow = ask(egress)
    assert flow.response.status_code == 503 and reason(flow) == "token_missing"
    assert "pulumi up" in flow.response.json()["how_to_ask"]


@pytest.mark.parametrize(
    ("expected", "request_"),
    [
        ("host_mismatch", {"host": "evil.com"}),
        ("host_mismatch", {"host": "api.example.com:8443"}),
        ("host_mismatch", {"host": "api.example.com."}),
        ("host_mismatch", {"host": "docs.example.com", "target": "api.example.com"}),
        ("bad_request", {"url": "https://api.example.com/v1/x", "plain": True, "target": None, "version": b"HTTP/2.0"}),
        ("scheme_not_allowed", {"url": "https://api.example.com/v1/x", "plain": True}),
        ("scheme_not_allowed", {"url": "http://api.example.com/v1/x", "plain": True}),
        ("host_not_allowed", {"url": "http://evil.com/", "plain": True}),
        ("host_not_allowed", {"url": "http://10.0.0.1/", "plain": True}),
        ("host_not_allowed", {"url": "http://docs.example.com./", "plain": True}),
        ("host_mismatch", {"url": "http://docs.example.com/", "plain": True, "host": "evil.com"}),
        ("bad_request", {"headers": [("host", "evil.com")]}),
        ("bad_request", {"headers": [("content_length", "3")]}),
        ("path_not_canonical", {"url": "https://api.example.com/v1/%2e%2e/x"}),
        ("path_not_allowed", {"url": "https://api.example.com/v2"}),
        ("method_not_allowed", {"method": "DELETE"}),
        ("method_not_allowed", {"method": "TRACE"}),
        ("method_not_allowed", {"method": "get"}),
        ("method_override", {"headers": [("X-HTTP-Method-Override", "DELETE")]}),
        ("method_override", {"url": "https://api.example.com/v1/x?_method=DELETE"}),
        ("upgrade_not_allowed", {"headers": [("Upgrade", "h2c"), ("Connection", "Upgrade"), ("HTTP2-Settings", "AAMA")]}),
        ("upgrade_not_allowed", {"headers": [("Upgrade", "websocket, h2c")]}),
        ("upgrade_not_allowed", {"headers": [("Upgrade", "websocket"), ("Upgrade", "tcp")]}),
        ("websocket_not_allowed", {"headers": [("Upgrade", "websocket")]}),
        ("bad_request", {"url": "https://api.example.com/live", "headers": [("Upgrade", "websocket")]}),
    ],
)  # fmt: skip
def test_refusals(egress, expected, request_):
    assert reason(ask(egress, **request_)) == expected


def test_an_absolute_url_inside_a_tunnel(egress):
    flow = tflow.tflow(req=tutils.treq(authority=b"api.example.com", headers=http.Headers([(b"host", b"api.example.com")])))
    flow.client_conn.bottle = Conn("api.example.com", 443, tls=True)
    egress.requestheaders(flow)
    assert reason(flow) == "bad_request"


def test_a_request_for_egress_itself(egress):
    flow = tflow.tflow(req=tutils.treq(authority=b"", headers=http.Headers([(b"host", b"proxy:8080")])))
    flow.client_conn.bottle = Conn()
    egress.requestheaders(flow)
    assert reason(flow) == "bad_request"


def test_a_second_connect(egress):
    flow = tflow.tflow(req=tutils.treq(method=b"CONNECT", authority=b"docs.example.com:443"))
    flow.client_conn.bottle = Conn()
    egress.http_connect(flow)
    assert flow.response.status_code == 400


def test_a_refused_tunnel_refuses_all_that_is_asked_in_it(egress):
    flow = tflow.tflow(req=tutils.treq(authority=b"", headers=http.Headers([(b"host", b"evil.com")])))
    flow.client_conn.bottle = Conn("evil.com", 443, refusal=("host_not_allowed", None), tls=True)
    egress.requestheaders(flow)
    content = flow.response.json()
    assert (flow.response.status_code, content["host"], content["path"]) == (403, "evil.com", "/path")
    assert content["rule"] == {"bottle:network": {"hosts": ["evil.com"]}}
    # What is granted meanwhile is granted on a new connection.
    assert flow.response.headers["connection"] == "close"


def test_a_refusal_says_which_rule_would_be_needed(egress):
    content = ask(egress, "https://api.example.com/v2?secret=1", "PUT").response.json()
    assert content == {
        "error": "refused by bottle",
        "reason": "path_not_allowed",
        "host": "api.example.com",
        "port": 443,
        "method": "PUT",
        "path": "/v2",
        "message": "The path /v2 of api.example.com is not allowed.",
        "rule": {"bottle:network": {"routes": [{"host": "api.example.com", "methods": ["PUT"], "paths": ["/v2"]}]}},
        "how_to_ask": "ask the human who runs this bottle to add the rule to its manifest (Pulumi.<stack>.yaml) and run `pulumi up`",
    }


@pytest.mark.parametrize(
    ("url", "ask_"),
    [
        ("https://evil.com/", {"tool": "request_host", "arguments": {"host": "evil.com"}}),
        ("https://api.example.com/v2", {"tool": "request_route", "arguments": {"host": "api.example.com", "methods": ["PUT"], "paths": ["/v2"]}}),
    ],
)
def test_where_there_is_supervise_a_refusal_names_tool_and_arguments(egress, monkeypatch, url, ask_):
    monkeypatch.setenv("SUPERVISE", "1")
    content = ask(egress, url, "PUT").response.json()
    assert content["ask"] == ask_ and ask_["tool"] in content["how_to_ask"]


def test_what_no_rule_allows_cannot_be_asked_for(egress, monkeypatch):
    monkeypatch.setenv("SUPERVISE", "1")
    content = ask(egress, host="evil.com").response.json()
    assert content["reason"] == "host_mismatch" and "ask" not in content and "no rule" in content["how_to_ask"]


BLOCKED = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff", "date": "Wed, 25 Nov 2026 08:00:00 GMT"}


def answered(egress, url, body=b"blocked: request body contains secret: AWS Access Key\n", status=403, **headers):
    flow = ask(egress, url)
    flow.response = http.Response.make(status, body, {**BLOCKED, **{name.replace("_", "-"): value for name, value in headers.items()}})
    egress.responseheaders(flow)
    if not flow.response.stream:
        egress.response(flow)
    return flow


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"blocked: request body contains secret: AWS Access Key\n", "request body contains secret: AWS Access Key"),
        (b"blocked: response too large for scanning\n", "response too large for scanning"),
        (b"authority mismatch: blocked\n", "authority mismatch"),
    ],
)
def test_what_pipelock_refuses_of_content_reads_like_every_refusal(egress, monkeypatch, body, said):
    monkeypatch.setenv("SUPERVISE", "1")
    flow = answered(egress, "https://scanned.example.com/x", body)
    content = flow.response.json()
    assert (flow.response.status_code, content["reason"], content["host"]) == (403, "content_refused", "scanned.example.com")
    assert content["message"] == f"pipelock refused what goes to or comes from scanned.example.com: {said}."
    assert content["ask"] == {"tool": "request_host", "arguments": {"host": "scanned.example.com", "inspect": False}}


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://api.example.com/v1/x", {}),  # passed through: pipelock cannot have said it
        ("https://scanned.example.com/x", {"body": b"x" * 5000}),
        ("https://scanned.example.com/x", {"body": b"blocked by the owner\n"}),
        ("https://scanned.example.com/x", {"status": 200}),
        ("https://scanned.example.com/x", {"server": "nginx"}),
        ("https://scanned.example.com/x", {"content_type": "text/html"}),
    ],
)
def test_another_answer_is_the_servers_own(egress, url, answer):
    flow = answered(egress, url, **answer)
    assert "x-bottle-refused" not in flow.response.headers
    assert flow.response.stream or flow.response.raw_content == answer["body"]


def test_a_websocket_handshake_goes_on_and_is_watched(egress):
    key = [("Upgrade", "WebSocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "eA==")]
    flow = ask(egress, "https://api.example.com/live", headers=key)
    assert reason(flow) is None and flow.request.headers["connection"] == "Upgrade"
    assert len(egress._live) == 1
    flow.response = http.Response.make(101, headers={"upgrade": "websocket"})
    egress.responseheaders(flow)
    egress.response(flow)
    assert not flow.error and len(egress._live) == 1
    egress.connection_closed(flow.client_conn.bottle)
    assert len(egress._live) == 0


def test_a_server_cannot_switch_protocols_unasked(egress):
    flow = ask(egress)
    flow.response = http.Response.make(101, headers={"upgrade": "websocket"})
    egress.responseheaders(flow)
    assert flow.error and flow.error.msg == "Connection killed."


@pytest.mark.parametrize(("host", "form"), [("scanned.example.com", b"scanned.example.com"), ("docs.example.com", b"")])
def test_plain_http_is_in_absolute_form_only_where_pipelock_inspects(egress, host, form):
    flow = ask(egress, f"http://{host}:80/x", plain=True)
    assert reason(flow) is None
    assert flow.request.data.authority == form and flow.request.headers["host"] == host
    # ... also where the client tunnelled it
    flow = ask(egress, f"http://{host}/x")
    assert reason(flow) is None and flow.request.data.authority == form
    assert (flow.request.scheme, flow.request.host, flow.request.port) == ("http", host, 80)


@pytest.mark.parametrize(
    ("headers", "streamed"),
    [
        ([], False),
        ([("content-length", "1000")], False),
        ([("content-length", "65536")], False),
        ([("content-length", "65537")], True),
        ([("content-length", "99999999999")], True),
        ([("transfer-encoding", "chunked")], True),
    ],
)
def test_large_bodies_are_streamed(egress, headers, streamed):
    assert bool(ask(egress, method="POST", headers=headers).request.stream) is streamed


def test_a_refused_body_is_not_held(egress):
    flow = ask(egress, "https://api.example.com/v2", "POST", headers=[("content-length", "5")])
    assert flow.request.stream is True and flow.response.headers["connection"] == "close"


def test_every_response_is_streamed(egress):
    flow = ask(egress)
    flow.response = http.Response.make(200, b"x", {"connection": "close", "content-type": "text/event-stream"})
    egress.responseheaders(flow)
    assert flow.response.stream(b"abc") == b"abc"
    assert "connection" not in flow.response.headers and flow.response.last_on_connection


def test_the_log_has_no_query_no_token_and_one_line(egress, capfd):
    flow = ask(egress, "https://api.example.com/v1/x?key=hidden", headers=[("x-api-key", "placeholder")])
    flow.response = http.Response.make(200, b"")
    egress.responseheaders(flow)
    egress.response(flow)
    egress.error(flow)
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    [line] = [line for line in lines if line["event"] == "decision"]
    assert (line["decision"], line["rule"], line["path"], line["status"]) == ("allow", "llm", "/v1/x", 200)
    assert not any(word in json.dumps(lines) for word in ("hidden", "the-real-key", "placeholder"))
