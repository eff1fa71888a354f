import pytest

from egress.rules.hosts import HostIndex
from egress.rules.hosts import is_pattern
from egress.rules.hosts import split_authority


@pytest.mark.parametrize(
    ("authority", "result"),
    [
        (b"api.example.com:443", ("api.example.com", 443)),
        (b"API.Example.COM", ("api.example.com", 80)),
        (b"api.example.com.:443", None),
        (b"api.example.com.", None),
        (b"user@api.example.com:443", None),
        (b"user:pw@api.example.com", None),
        (b"1.2.3.4", None),
        (b"0x7f.1", None),
        (b"2130706433", None),
        (b"127.1", None),
        (b"[::1]:443", None),
        (b"::1", None),
        (b"api.example.com:", None),
        (b"api.example.com:0", None),
        (b"api.example.com:65536", None),
        (b"api.example.com:+443", None),
        (b"api.example.com:443:443", None),
        (b"api.example.com:\xd9\xa4", None),
        (b"api%2eexample.com", None),
        ("äpi.example.com".encode(), None),
        (b"api..example.com", None),
        (b"-api.example.com", None),
        (b"api.example.com/x", None),
        (b"api.example.com evil", None),
        (b"api.example.com\x00", None),
        (b"api.example.com\n", None),
        (b"", None),
        (b"a" * 64 + b".com", None),
        (b"*.example.com", None),
    ],
)
def test_only_plain_names_are_targets(authority, result):
    assert split_authority(authority, 80) == result


def test_a_port_may_be_required():
    assert split_authority(b"api.example.com", None) is None


def test_patterns():
    assert is_pattern("a.example.com") and is_pattern("*.example.com") and is_pattern("upstream")
    for bad in ("*", "*.", "a.*.com", "*a.com", "**.a.com", "A.com", "10.0.0.1", "*.1", "a.com.", "a.com:1", "http://a"):
        assert not is_pattern(bad), bad


def test_lookalikes_are_other_hosts():
    index = HostIndex([("api.example.com", 1), ("*.wild.com", 2), ("x.wild.com", 3)])
    assert index.lookup("api.example.com") == [1]
    assert index.lookup("a.wild.com") == index.lookup("a.b.wild.com") == [2]
    assert index.lookup("x.wild.com") == [2, 3]
    for other in ("wild.com", "awild.com", "api.example.com.evil.com", "xapi.example.com", "example.com", "wild.com.evil"):
        assert index.lookup(other) == [], other
