"""Refusals: one JSON form for all, which says what would have to change and who can change it."""

import json
import os
from dataclasses import dataclass

from .log import clip
from .rules.hosts import is_host_name
from .rules.paths import normal_form

HOW_TO_ASK = (
    "ask the human who runs this bottle to add the rule to its manifest (Pulumi.<stack>.yaml) and run `pulumi up`"
)
_MCP = "the MCP server `supervise` (http://supervise:8090/mcp)"

_MESSAGES = {
    "host_not_allowed": "The host {host} is not allowed.",
    "port_not_allowed": "Port {port} of {host} is not allowed.",
    "scheme_not_allowed": "{host} is not allowed over {scheme}.",
    "method_not_allowed": "{method} is not allowed at {path} of {host}.",
    "path_not_allowed": "The path {path} of {host} is not allowed.",
    "path_not_canonical": "The path is not canonical, so it cannot be held to the rules of {host}.",
    "query_not_allowed": "The query does not match the rules of {host} for {path}.",
    "websocket_not_allowed": "WebSockets are not allowed at {path} of {host}.",
    "upgrade_not_allowed": "Only WebSocket upgrades can be allowed.",
    "rule_expired": "The rule that allowed this on {host} has expired.",
    "token_missing": "The credential that the rule for {host} puts on is missing in egress.",
    "host_mismatch": "The Host header does not name the target {host}:{port}.",
    "sni_mismatch": "The TLS server name is missing or is not {host}.",
    "not_tls": "Only TLS may be spoken to port {port} of {host}.",
    "method_override": "The request tries to override its method.",
    "bad_request": "The request is malformed.",
    "upstream_refused": "pipelock refused the connection to {host}.",
    "content_refused": "pipelock refused what goes to or comes from {host}.",
    "upstream_unreachable": "{host} cannot be reached.",
    "upstream_timeout": "{host} did not answer in time.",
    "upstream_tls": "TLS with {host} failed.",
    "upstream_closed": "{host} closed the connection before it had answered.",
    "too_many_connections": "egress has as many connections open as it may.",
}

# What a rule could allow; for the others there is nothing to add to a manifest.
_HOST_RULES = frozenset(("host_not_allowed",))
_ROUTE_RULES = frozenset(
    (
        "port_not_allowed",
        "scheme_not_allowed",
        "method_not_allowed",
        "path_not_allowed",
        "query_not_allowed",
        "websocket_not_allowed",
        "rule_expired",
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for, as far as it is known."""

    host: str | None = None
    port: int | None = None
    scheme: str = "https"
    method: str | None = None
    path: str | None = None
    """Without its query, which may hold secrets."""


def status_of(reason: str) -> int:
    """HTTP status of a refusal."""
    if reason in ("token_missing", "too_many_connections"):
        return 503
    if reason == "upstream_timeout":
        return 504
    if reason.startswith("upstream_") and reason != "upstream_refused":
        return 502
    return 400 if reason == "bad_request" else 403


def body_of(reason: str, target: Target, detail: str | None = None) -> bytes:
    """The JSON body. `detail` is added to the sentence; it comes from us or from pipelock, never from a token."""
    shown = {
        "host": target.host or "the host",
        "port": target.port or "the port",
        "scheme": target.scheme,
        "method": target.method or "the method",
        "path": clip(target.path or "the path"),
    }
    message = _MESSAGES[reason].format_map(shown)
    if detail:
        message = f"{message[:-1]}: {clip(detail)}."
    if reason == "token_missing":
        message += " It may be gone after a restart of the machine; `pulumi up` puts it back."
    rule = _rule(reason, target)
    content = {
        "error": "refused by bottle",
        "reason": reason,
        "host": target.host,
        "port": target.port,
        "method": target.method,
        "path": clip(target.path) if target.path else None,
        "message": message,
        "rule": rule,
        **_how_to_ask(reason, target, rule),
    }
    return json.dumps(content, indent=1).encode() + b"\n"


def headers_of(reason: str, target: Target, body: bytes, close: bool) -> list[tuple[bytes, bytes]]:
    """Headers of a refusal."""
    headers = [
        # git shows what it is answered on the terminal, but only plain text.
        (b"content-type", b"application/json" if _repository(target) is None else b"text/plain"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-bottle-refused", reason.encode()),
    ]
    if close:
        headers.append((b"connection", b"close"))
    return headers


def raw_response(reason: str, target: Target, detail: str | None = None) -> bytes:
    """A whole HTTP/1.1 response that closes the connection, for where no HTTP engine is at work."""
    body = body_of(reason, target, detail)
    head = b"".join(b"%s: %s\r\n" % pair for pair in headers_of(reason, target, body, close=True))
    return b"HTTP/1.1 %d Refused\r\n%s\r\n%s" % (status_of(reason), head, body)


def _how_to_ask(reason: str, target: Target, rule: object) -> dict[str, object]:
    """A sentence; where the bottle has supervise, also the tool and its arguments, but for the reason."""
    if reason == "token_missing":
        return {"how_to_ask": "ask the human who runs this bottle to run `pulumi up`"}
    if os.environ.get("SUPERVISE") != "1":
        return {"how_to_ask": HOW_TO_ASK}
    if isinstance(rule, dict) and "bottle:git" in rule:
        ask = {"tool": "request_git_upstream", "arguments": rule["bottle:git"]["upstreams"][0]}
    elif isinstance(rule, dict):
        network = rule["bottle:network"]
        ask = (
            {"tool": "request_host", "arguments": {"host": target.host}}
            if "hosts" in network
            else {"tool": "request_route", "arguments": network["routes"][0]}
        )
    elif reason == "content_refused" and target.host and is_host_name(target.host):
        # What pipelock does not like of an allowed host it passes through unread, where a human agrees.
        ask = {"tool": "request_host", "arguments": {"host": target.host, "inspect": False}}
    else:
        return {"how_to_ask": "no rule would allow this; change the request, or ask the human who runs this bottle"}
    return {
        "how_to_ask": f"call the tool {ask['tool']} of {_MCP} and say why; a human decides, and wait_for_answer tells",
        "ask": ask,
    }


def _rule(reason: str, target: Target) -> object:
    """What the manifest would need under `config`, as narrow as this request."""
    if target.host is None or not is_host_name(target.host):
        return None  # no manifest can allow an address
    if reason in _HOST_RULES | _ROUTE_RULES and (repository := _repository(target)) is not None:
        return {"bottle:git": {"upstreams": [{"url": repository}]}}
    if reason in _HOST_RULES and target.port in (None, 80, 443):
        return {"bottle:network": {"hosts": [target.host]}}
    if reason not in _HOST_RULES | _ROUTE_RULES:
        return None
    if target.path and "*" in normal_form(target.path):
        return None  # in a rule it would be a glob, which allows more than was asked for
    route: dict[str, object] = {"host": target.host}
    if target.scheme != "https":
        route["scheme"] = target.scheme
    if target.port not in (None, 443 if target.scheme == "https" else 80):
        route["port"] = target.port
    if target.method:
        route["methods"] = [target.method]
    if target.path:
        route["paths"] = [clip(target.path)]
    if reason == "websocket_not_allowed":
        route["websocket"] = True
        route["inspect"] = False
    return {"bottle:network": {"routes": [route]}}


def _repository(target: Target) -> str | None:
    """The URL of the git repository that a client looks for (gitprotocol-http); None where it is none."""
    path = (target.path or "").removesuffix("/info/refs")
    if path in ("", target.path) or target.scheme != "https" or target.host is None or target.method != "GET":
        return None
    return f"https://{target.host}{'' if target.port in (None, 443) else f':{target.port}'}{clip(path)}"
