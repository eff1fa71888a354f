import pytest

from egress import headers
from egress.rules import Auth

HOST = (b"Host", b"api.example.com")


@pytest.mark.parametrize(
    ("fields", "method", "version"),
    [
        ((), "GET", "HTTP/1.1"),
        ((HOST, HOST), "GET", "HTTP/1.1"),
        ((HOST, (b"host", b"evil.com")), "GET", "HTTP/1.1"),
        ((HOST, (b"Content_Length", b"5")), "GET", "HTTP/1.1"),
        ((HOST, (b"Transfer_Encoding", b"chunked")), "GET", "HTTP/1.1"),
        ((HOST, (b"X", b"a\r\n b")), "GET", "HTTP/1.1"),
        ((HOST, (b"X", b"a\rb")), "GET", "HTTP/1.1"),
        ((HOST, (b"X", b"a\0b")), "GET", "HTTP/1.1"),
        ((HOST, (b"X ", b"a")), "GET", "HTTP/1.1"),
        ((HOST, (b"", b"a")), "GET", "HTTP/1.1"),
        ((HOST,), "G T", "HTTP/1.1"),
        ((HOST,), "", "HTTP/1.1"),
        ((HOST,), "GET", "HTTP/2.0"),
        ((HOST,), "PRI", "HTTP/2.0"),
        ((HOST,), "GET", "HTTP/0.9"),
    ],
)
def test_what_is_ambiguous_is_a_fault(fields, method, version):
    assert headers.fault(fields, method, version)


def test_an_ordinary_request_has_no_fault():
    assert headers.fault((HOST, (b"X-Any", b"\xc3\xa9")), "GET", "HTTP/1.1") is None


def clean(*fields, strip=(), upgrade=False, identity=False):
    return headers.clean((HOST, *fields), frozenset(strip), b"api.example.com", upgrade=upgrade, identity=identity)[1:]


@pytest.mark.parametrize(
    "name",
    [
        b"Proxy-Authorization", b"Proxy-Connection", b"Proxy-Anything", b"X-Forwarded-For", b"X-Forwarded-Host",
        b"Forwarded", b"X-Original-URL", b"X-Rewrite-Url", b"X-HTTP-Method-Override", b"X_HTTP_Method_Override",
        b"X-Method-Override", b"Keep-Alive", b"TE", b"HTTP2-Settings", b"Upgrade", b"X-Api-Key", b"x_api_key",
    ],
)  # fmt: skip
def test_what_is_not_the_agents_to_say_is_taken_off(name):
    assert clean((name, b"1"), (b"Accept", b"*/*"), strip=["x-api-key"]) == ((b"Accept", b"*/*"),)


def test_connection_says_close_or_nothing():
    assert clean((b"Connection", b"keep-alive, X-Api-Key")) == ()
    assert clean((b"Connection", b"x, Close")) == ((b"Connection", b"close"),)


def test_an_upgrade_goes_on_as_such():
    kept = clean((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade, Accept"), upgrade=True)
    assert kept == ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))


def test_a_scanned_host_is_asked_for_plain_bodies():
    assert clean((b"Accept-Encoding", b"gzip"), identity=True) == ((b"Accept-Encoding", b"identity"),)
    assert clean((b"Accept-Encoding", b"gzip")) == ((b"Accept-Encoding", b"gzip"),)


def test_host_is_what_was_decided_on():
    fields = headers.clean(((b"hOST", b"API.example.com:443"),), frozenset(), b"api.example.com", upgrade=False, identity=False)
    assert fields == (HOST,)


@pytest.mark.parametrize(
    ("scheme", "username", "value"),
    [("raw", None, b"t0"), ("bearer", None, b"Bearer t0"), ("basic", "me", b"Basic bWU6dDA=")],
)
def test_credentials(scheme, username, value):
    auth = Auth("T", "x-api-key", scheme, username, False)
    fields = (HOST, (b"X-API-Key", b"fake"), (b"X_API_KEY", b"fake"))
    assert headers.put_on(fields, auth, b"t0") == (HOST, (b"x-api-key", value))


def test_method_overrides_are_seen():
    assert headers.overrides_method(((b"X-Http-Method-Override", b"PUT"),), "")
    assert headers.overrides_method((), "a=1&_method=PUT") and headers.overrides_method((), "%5Fmethod=PUT")
    assert not headers.overrides_method((HOST,), "method=PUT")
