import pytest

from egress.rules import Facts
from egress.rules import decide_connect
from egress.rules import decide_request
from egress.rules import parse_rules

BEFORE = 1767000000.0  # 2025-12-29
AFTER = 1790000000.0  # 2026-09-21


@pytest.fixture
def rules(rules_text):
    return parse_rules(rules_text)


@pytest.mark.parametrize(
    ("host", "port", "now", "kind", "reason"),
    [
        ("docs.example.com", 443, AFTER, "tunnel", None),
        ("a.b.example.org", 443, AFTER, "tunnel", None),
        ("docs.example.com", 80, AFTER, "open", None),
        ("docs.example.com", 22, AFTER, "refuse", "port_not_allowed"),
        ("docs.example.com", 8443, AFTER, "refuse", "port_not_allowed"),
        ("scanned.example.com", 443, AFTER, "open", None),
        ("example.org", 443, AFTER, "refuse", "host_not_allowed"),
        ("evil.com", 443, AFTER, "refuse", "host_not_allowed"),
        ("brief.example.com", 443, BEFORE, "tunnel", None),
        ("brief.example.com", 443, AFTER, "refuse", "rule_expired"),
        ("api.example.com", 443, AFTER, "open", None),
        ("api.example.com", 80, AFTER, "refuse", "port_not_allowed"),
        ("x.git.example.com", 443, AFTER, "open", None),
        ("git.example.com", 443, AFTER, "refuse", "host_not_allowed"),
        ("plain.example.com", 8080, AFTER, "open", None),
        ("plain.example.com", 443, AFTER, "refuse", "port_not_allowed"),
    ],
)
def test_connect(rules, host, port, now, kind, reason):
    decision = decide_connect(rules, host, port, now)
    assert (decision.kind, decision.reason) == (kind, reason)


def test_a_tunnel_ends_with_its_rule(rules):
    assert decide_connect(rules, "brief.example.com", 443, BEFORE).expires == 1767225600


@pytest.mark.parametrize(
    ("method", "url", "outcome"),
    [
        ("GET", "https://api.example.com/v1/models", "llm"),
        ("POST", "https://api.example.com/v1", "llm"),
        ("PUT", "https://api.example.com/v1/models", "method_not_allowed"),
        ("get", "https://api.example.com/v1/models", "method_not_allowed"),
        ("GET", "https://api.example.com/v2", "path_not_allowed"),
        ("GET", "https://api.example.com/v1%2Fmodels", "path_not_allowed"),
        ("GET", "https://api.example.com/v1/../v2", "path_not_canonical"),
        ("GET", "https://api.example.com/v1/a;b", "llm"),
        ("GET", "https://api.example.com/v1;b/a", "path_not_allowed"),
        ("GET", "https://api.example.com:8443/v1", "port_not_allowed"),
        ("GET", "http://api.example.com/v1", "scheme_not_allowed"),
        ("GET", "https://api.example.com/beta?on=true&page=p1", "beta"),
        ("GET", "https://api.example.com/beta?page=p&x=y&on=true", "beta"),
        ("GET", "https://api.example.com/beta?on=tr%75e&page=p1", "beta"),
        ("GET", "https://api.example.com/beta", "query_not_allowed"),
        ("GET", "https://api.example.com/beta?on=false&page=p1", "query_not_allowed"),
        ("GET", "https://api.example.com/beta?on=true", "query_not_allowed"),
        ("GET", "https://api.example.com/beta?on=true&page=p1&on=false", "query_not_allowed"),
        ("GET", "https://api.example.com/beta?on=true&page=p1&%6fn=false", "query_not_allowed"),
        ("GET", "https://api.example.com/beta?on=true&page=p1&ON=false", "query_not_allowed"),
        ("GET", "https://api.example.com/beta?on=true&page=p1&on[]=false", "query_not_allowed"),
        ("GET", "https://api.example.com/beta?on=true&page=p1;on=false", "query_not_allowed"),
        ("GET", "https://api.example.com/beta?ON=true&page=p1", "query_not_allowed"),
        ("GET", "https://api.example.com/beta?on=true%00&page=p1", "query_not_allowed"),
        ("POST", "https://api.example.com/beta?on=true&page=p1", "method_not_allowed"),
        ("GET", "https://x.git.example.com/any//thing%2f", "git"),
        ("TRACE", "https://x.git.example.com/", "method_not_allowed"),
        ("CONNECT", "https://x.git.example.com/", "method_not_allowed"),
        ("trace", "https://x.git.example.com/", "method_not_allowed"),
        ("DELETE", "https://x.git.example.com/", "git"),
        ("GET", "http://docs.example.com/", "docs.example.com"),
        ("GET", "http://docs.example.com:8080/", "port_not_allowed"),
        ("TRACE", "http://docs.example.com/", "method_not_allowed"),
        ("GET", "https://scanned.example.com/x", "scanned.example.com"),
        ("GET", "http://plain.example.com:8080/x", "plain"),
        ("GET", "http://plain.example.com/x", "port_not_allowed"),
        ("GET", "https://plain.example.com/x", "scheme_not_allowed"),
        ("GET", "https://evil.com/", "host_not_allowed"),
        ("GET", "https://brief.example.com/", "rule_expired"),
    ],
)
def test_requests(rules, method, url, outcome):
    decision = decide_request(rules, facts(method, url), AFTER)
    assert (decision.rule if decision.allowed else decision.reason) == outcome


def facts(method, url, websocket=False):
    scheme, _, rest = url.partition("://")
    authority, slash, target = rest.partition("/")
    host, _, port = authority.partition(":")
    return Facts(scheme, host, int(port or (443 if scheme == "https" else 80)), method, slash + target, websocket)


def test_websockets_only_where_a_route_says_so(rules):
    assert decide_request(rules, facts("GET", "https://api.example.com/live", True), BEFORE).rule == "live"
    for url in ("https://api.example.com/v1/x", "http://docs.example.com/", "https://scanned.example.com/"):
        assert decide_request(rules, facts("GET", url, True), BEFORE).reason == "websocket_not_allowed"


def test_a_route_ends_by_the_clock(rules):
    assert decide_request(rules, facts("GET", "https://api.example.com/live"), 1780271999.9).allowed
    assert decide_request(rules, facts("GET", "https://api.example.com/live"), 1780272000.0).reason == "rule_expired"


def test_a_hosts_entry_never_weakens_a_route(rules_text):
    rules = parse_rules(rules_text.replace("hosts:\n", "hosts:\n  - host: api.example.com\n  - host: '*.example.com'\n"))
    assert decide_connect(rules, "api.example.com", 443, AFTER).kind == "open"
    assert decide_request(rules, facts("GET", "https://api.example.com/v2"), AFTER).reason == "path_not_allowed"
    assert decide_request(rules, facts("GET", "http://api.example.com/v1"), AFTER).reason == "scheme_not_allowed"


def test_the_first_match_wins(rules_text):
    extra = "  - {name: second, host: api.example.com, paths: ['/v1/models'], methods: [GET, PUT]}\n"
    rules = parse_rules(rules_text + extra)
    assert decide_request(rules, facts("GET", "https://api.example.com/v1/models"), AFTER).rule == "llm"
    assert decide_request(rules, facts("PUT", "https://api.example.com/v1/models"), AFTER).rule == "second"
