import json

import pytest

from egress.refusal import Target
from egress.refusal import body_of
from egress.refusal import headers_of


def rule(path):
    return json.loads(body_of("path_not_allowed", Target("api.example.com", 443, "https", "GET", path)))["rule"]


def test_the_suggested_rule_is_as_narrow_as_the_request():
    assert rule("/v2/x") == {"bottle:network": {"routes": [{"host": "api.example.com", "methods": ["GET"], "paths": ["/v2/x"]}]}}


@pytest.mark.parametrize("path", ["/v2/**", "/v2/*", "/v2/a*b", "/v2/%2a%2A"])
def test_a_path_that_would_be_a_glob_is_not_suggested(path):
    assert rule(path) is None


def test_a_git_client_is_told_to_ask_for_the_repository(monkeypatch):
    monkeypatch.setenv("SUPERVISE", "1")
    target = Target("git.example.com", 443, "https", "GET", "/org/app.git/info/refs")
    body = body_of("host_not_allowed", target)
    content = json.loads(body)
    assert content["rule"] == {"bottle:git": {"upstreams": [{"url": "https://git.example.com/org/app.git"}]}}
    assert content["ask"] == {"tool": "request_git_upstream", "arguments": {"url": "https://git.example.com/org/app.git"}}
    # Else git would not show it.
    assert dict(headers_of("host_not_allowed", target, body, close=False))[b"content-type"] == b"text/plain"


@pytest.mark.parametrize("target", [
    Target("h.example.com", 443, "https", "GET", "/info/refs"), Target("h.example.com", 443, "https", "POST", "/a/info/refs"),
    Target("h.example.com", 80, "http", "GET", "/a/info/refs"), Target("h.example.com", 443, "https", "GET", "/a"), Target(),
])  # fmt: skip
def test_other_clients_read_json(target):
    body = body_of("host_not_allowed", target)
    assert b"bottle:git" not in body
    assert dict(headers_of("host_not_allowed", target, body, close=False))[b"content-type"] == b"application/json"
