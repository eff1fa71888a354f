import pytest

from egress.rules import RulesError
from egress.rules import parse_rules

HEAD = 'revision: "1"\n'


def test_a_whole_file(rules_text):
    rules = parse_rules(rules_text)
    assert rules.revision == "r1"
    assert rules.strip_headers == {"authorization", "x-api-key"}
    assert [route.name for route in rules.routes] == ["llm", "live", "beta", "git", "plain"]
    llm, live, _, git, plain = rules.routes
    assert (llm.scheme, llm.port, llm.methods, llm.websocket, llm.inspect) == ("https", 443, {"GET", "POST"}, False, False)
    assert live.expires == 1780272000
    assert git.auth and (git.auth.header, git.auth.username, git.auth.optional) == ("authorization", "x-token", True)
    assert (plain.scheme, plain.port, plain.methods, plain.paths) == ("http", 8080, None, None)
    assert rules.required_tokens == {"LLM_KEY"} and rules.all_tokens == {"LLM_KEY", "GIT_TOKEN"}
    assert [host.inspect for host in rules.hosts] == [False, False, True, False]


def test_the_smallest_file():
    rules = parse_rules(HEAD)
    assert (rules.hosts, rules.routes) == ((), ())


ROUTE = "{name: a, host: a.example.com"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "file: must be a mapping"),
        ("[]", "file: must be a mapping"),
        ("revision: 1", "revision: must be a string"),
        ("hosts: []", "revision: is missing"),
        ('revision: ""', "revision: is empty"),
        (HEAD + HEAD, "file: not valid YAML: found duplicate key"),
        (HEAD + "hosts: [", "file: not valid YAML"),
        (HEAD + "host: []", "file: unknown key 'host'; known here: revision, strip_headers, hosts, routes"),
        (HEAD + "hosts: docs", "hosts: must be a list"),
        (HEAD + "hosts: [docs.example.com]", "hosts[0]: must be a mapping"),
        (HEAD + "hosts: [{host: '*'}]", "hosts[0].host: '*' is not a lower-case ASCII host name"),
        (HEAD + "hosts: [{host: 10.0.0.1}]", "hosts[0].host: '10.0.0.1' is not"),
        (HEAD + "hosts: [{host: a.example.com, inspect: 1}]", "hosts[0].inspect: must be true or false"),
        (HEAD + "hosts: [{host: a.example.com, paths: ['/']}]", "hosts[0]: unknown key 'paths'"),
        (HEAD + "strip_headers: [host]", "strip_headers[0]: 'host' is not a header that may be taken off"),
        (HEAD + "strip_headers: ['a b']", "strip_headers[0]: 'a b' is not a header"),
        (HEAD + f"routes: [{ROUTE}, port: 0}}]", "routes[0].port: must be 1 to 65535"),
        (HEAD + f"routes: [{ROUTE}, port: true}}]", "routes[0].port: must be a number"),
        (HEAD + f"routes: [{ROUTE}, scheme: ftp}}]", "routes[0].scheme: must be https or http"),
        (HEAD + f"routes: [{ROUTE}, methods: []}}]", "routes[0].methods: is empty; leave it out to allow any"),
        (HEAD + f"routes: [{ROUTE}, methods: [get]}}]", "routes[0].methods[0]: 'get' is not an upper-case method"),
        (HEAD + f"routes: [{ROUTE}, paths: []}}]", "routes[0].paths: is empty; leave it out to allow any"),
        (HEAD + f"routes: [{ROUTE}, paths: ['v1']}}]", "routes[0].paths[0]: 'v1' does not begin with /"),
        (HEAD + f"routes: [{ROUTE}, paths: ['/a/../b']}}]", "routes[0].paths[0]: '/a/../b' has a dot segment"),
        (HEAD + f"routes: [{ROUTE}, paths: ['/a**']}}]", "routes[0].paths[0]: ** must be a whole segment"),
        (HEAD + f"routes: [{ROUTE}, paths: ['/a?b=1']}}]", "routes[0].paths[0]: has a query"),
        (HEAD + f"routes: [{ROUTE}, query: {{a: true}}}}]", "routes[0].query: 'a' must be a name with a glob in quotes"),
        (HEAD + f"routes: [{ROUTE}, expires: tomorrow}}]", "routes[0].expires: must be a quoted RFC 3339 time"),
        (HEAD + f"routes: [{ROUTE}, expires: '2026-01-01T00:00:00'}}]", "routes[0].expires: must be a quoted"),
        (HEAD + f"routes: [{ROUTE}}}, {ROUTE}}}]", "routes[1].name: 'a' is there twice"),
        (HEAD + "routes: [{host: a.example.com}]", "routes[0].name: is missing"),
        (HEAD + f"routes: [{ROUTE}, auth: {{token: T, scheme: digest}}}}]", "routes[0].auth.scheme: must be raw, bearer or basic"),
        (HEAD + f"routes: [{ROUTE}, auth: {{scheme: raw}}}}]", "routes[0].auth.token: is missing"),
        (HEAD + f"routes: [{ROUTE}, auth: {{token: T, scheme: basic}}}}]", "routes[0].auth.username: belongs to scheme basic"),
        (HEAD + f"routes: [{ROUTE}, auth: {{token: T, scheme: raw, username: u}}}}]", "routes[0].auth.username: belongs to"),
        (HEAD + f"routes: [{ROUTE}, auth: {{token: T, scheme: raw, header: Host}}}}]", "routes[0].auth.header: 'host' is not"),
        (HEAD + f"routes: [{ROUTE}, scheme: http, auth: {{token: T, scheme: raw}}}}]", "routes[0].auth: a credential is put on over TLS only"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_key(text, problem):
    with pytest.raises(RulesError) as refused:
        parse_rules(text)
    assert str(refused.value).startswith(problem)


def test_a_pasted_token_is_not_repeated():
    with pytest.raises(RulesError) as refused:
        parse_rules(HEAD + f"routes: [{ROUTE}, auth: {{token: sk-ant-secret, scheme: raw}}}}]")
    assert "secret" not in str(refused.value)
