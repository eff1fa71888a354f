import json

import pytest

from conftest import LIMITS, PUSH
from gate.addresses import parse_address
from gate.config import load
from gate.node import ConfigError

UPSTREAM = {
    "id": "one", "path": "git.example.com/org/one", "url": "ssh://git@git.example.com/org/one.git", "transport": "ssh",
    "key": "key.one", "known_hosts": "git.example.com ssh-ed25519 AAAA\n", "token": None, "push": PUSH, "serve_stale": False,
    "config_key": "bottle:git.upstreams[0]",
}  # fmt: skip
HTTPS = UPSTREAM | {"id": "two", "path": "h/two", "url": "https://h/two", "transport": "https", "key": None, "token": {"id": "A_TOKEN", "username": "x"}}
TOP = {"revision": "0123456789abcdef", "upstreams": [UPSTREAM, HTTPS], "limits": LIMITS, "signing": {"key": "signing-key"}, "gitleaks": None}


def read(tmp_path, value):
    path = tmp_path / "gate.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return load(str(path))


def test_all_of_it(tmp_path):
    config = read(tmp_path, TOP)
    assert config.revision == "0123456789abcdef" and config.signing_key == "signing-key" and config.gitleaks is None
    one, two = config.upstreams
    assert one.mirror.endswith("/srv/git/git.example.com/org/one.git") and one.push.branches == ("agent/**",)
    assert two.token.username == "x" and two.address.port is None
    assert config.limits._asdict() == LIMITS


def test_what_may_be_null(tmp_path):
    config = read(tmp_path, TOP | {"upstreams": [UPSTREAM | {"known_hosts": None}], "signing": None})
    assert config.upstreams[0].known_hosts == "" and config.signing_key is None


def test_whether_anybody_can_be_asked(tmp_path):
    assert [read(tmp_path, TOP | more).ask for more in ({}, {"ask": False}, {"ask": True})] == [False, False, True]


def changed(path, value):
    """TOP with one key set, or taken away where the value is `...`."""
    top = json.loads(json.dumps(TOP))
    node, *_ = [top]
    *parents, last = path
    for key in parents:
        node = node[key]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return top


@pytest.mark.parametrize("path, value, words", [
    (["more"], 1, "unknown key 'more'"),
    (["limits"], ..., "limits: is missing"),
    (["limits", "refs"], 0, "limits.refs: must be 1 to"),
    (["limits", "refs"], True, "limits.refs: must be a number"),
    (["limits", "file_bytes"], 1 << 30, "limits.file_bytes: must be"),
    (["limits", "more"], 1, "limits: unknown key 'more'"),
    (["signing"], {}, "signing.key: is missing"),
    (["signing"], {"key": "../x"}, "signing.key"),
    (["upstreams"], {}, "upstreams: must be a list"),
    (["upstreams", 0], [], "upstreams[0]: must be an object"),
    (["upstreams", 0, "id"], "One", "upstreams[0].id: 'One' is not a name"),
    (["upstreams", 1, "id"], "one", "upstreams[1].id: 'one' is there twice"),
    (["upstreams", 1, "path"], "git.example.com/org/one", "upstreams[1].path"),
    (["upstreams", 0, "path"], "a/../b", "upstreams[0].path"),
    (["upstreams", 0, "path"], "/a", "upstreams[0].path"),
    (["upstreams", 0, "path"], "a.git/b", "no segment may end in .git"),
    (["upstreams", 0, "path"], "health", "git-gate's own"),
    (["upstreams", 0, "path"], "-a", "upstreams[0].path"),
    (["upstreams", 0, "url"], "ssh://-oProxyCommand=x/a", "upstreams[0].url: is no address"),
    (["upstreams", 0, "url"], "https://h/a", "upstreams[0].url: is no address that git-gate takes for ssh"),
    (["upstreams", 0, "transport"], "http", "upstreams[0].transport"),
    (["upstreams", 0, "key"], "a/b", "upstreams[0].key"),
    (["upstreams", 0, "token"], {"id": "T", "username": "x"}, "upstreams[0].token: belongs to https alone"),
    (["upstreams", 1, "key"], "k", "upstreams[1].key: belongs to ssh alone"),
    (["upstreams", 1, "token", "id"], "not an id", "upstreams[1].token.id: must be the id"),
    (["upstreams", 1, "token", "username"], "a:b", "upstreams[1].token.username"),
    (["upstreams", 0, "push", "branches"], "x", "upstreams[0].push.branches: must be a list"),
    (["upstreams", 0, "push", "branches"], ["a b"], "upstreams[0].push.branches[0].glob"),
    (["upstreams", 0, "push", "force"], 1, "upstreams[0].push.force: must be true or false"),
    (["upstreams", 0, "push", "more"], 1, "upstreams[0].push: unknown key"),
    (["upstreams", 0, "serve_stale"], ..., "upstreams[0].serve_stale: is missing"),
    (["upstreams", 0, "known_hosts"], ..., "upstreams[0].known_hosts: is missing"),
    (["gitleaks"], ..., "gitleaks: is missing"),
    (["ask"], 1, "ask: must be true or false"),
    (["revision"], "a\nb", "revision"),
])  # fmt: skip
def test_faults_name_their_key(tmp_path, path, value, words):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, changed(path, value))
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "[", "[]", '{"revision": "a", "revision": "b"}', "[" * 100_000])
def test_files_that_are_none(tmp_path, text):
    with pytest.raises(ConfigError, match="gate.json"):
        read(tmp_path, text)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(str(tmp_path / "none"))


def test_faults_show_no_token(tmp_path):
    for path, value in ((["upstreams", 1, "token", "id"], "ghp_pasted-here"), (["upstreams", 1, "url"], "https://me:ghp_pasted@h/a")):
        with pytest.raises(ConfigError) as caught:
            read(tmp_path, changed(path, value))
        assert "ghp_" not in str(caught.value)


@pytest.mark.parametrize("url, transport, address", [
    ("ssh://git@github.com/a/b.git", "ssh", ("github.com", None)),
    ("ssh://GitHub.com:2222/a", "ssh", ("github.com", 2222)),
    ("git@github.com:a/b.git", "ssh", ("github.com", None)),
    ("git@github.com:/a/b.git", "ssh", ("github.com", None)),
    ("ssh://h/~user/x", "ssh", ("h", None)),
    ("https://h.example:8443/a/b/", "https", ("h.example", 8443)),
    ("file:///upstreams/x", "file", ("", None)),
])  # fmt: skip
def test_addresses(url, transport, address):
    assert parse_address(url, transport) == address


@pytest.mark.parametrize("url, transport", [
    ("ssh://-oProxyCommand=x/a", "ssh"), ("-x@h:a", "ssh"), ("h:-a", "ssh"), ("ssh://h:0/a", "ssh"), ("ssh://h:70000/a", "ssh"),
    ("ssh://u:p@h/a", "ssh"), ("ssh://h/a b", "ssh"), ("ssh://h/a/../b", "ssh"), ("ssh://h/a;id", "ssh"), ("ssh://h/$(id)", "ssh"),
    ("https://u@h/a", "https"), ("https://h/a?x=y", "https"), ("http://h/a", "https"), ("https://h/a\n", "https"), ("https://-h/a", "https"),
    ("file:///etc", "file"), ("file:///upstreams/../etc", "file"), ("file:///upstreams/x/y", "file"), ("/upstreams/x", "file"), ("ext::sh", "ssh"),
])  # fmt: skip
def test_addresses_that_are_none(url, transport):
    assert parse_address(url, transport) is None
