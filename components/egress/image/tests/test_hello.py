import ssl

import pytest

from egress.proxy.hello import NotTls
from egress.proxy.hello import parse_hello


def hello_of(name: str | None) -> bytes:
    """A ClientHello as OpenSSL writes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def with_extension(data: bytes, kind: int, content: bytes) -> bytes:
    """Adds an extension to a ClientHello, and mends the lengths around it."""
    extension = kind.to_bytes(2) + len(content).to_bytes(2) + content
    body = data[9:]
    at = 34
    at += 1 + body[at]
    at += 2 + int.from_bytes(body[at : at + 2])
    at += 1 + body[at]
    extensions = body[at + 2 :] + extension
    body = body[:at] + len(extensions).to_bytes(2) + extensions
    message = b"\x01" + len(body).to_bytes(3) + body
    return data[:3] + len(message).to_bytes(2) + message


def test_the_name_is_read():
    assert parse_hello(hello_of("API.example.com")).sni == "api.example.com"
    assert parse_hello(hello_of(None)).sni is None


def test_any_part_of_it_asks_for_more():
    data = hello_of("api.example.com")
    assert all(parse_hello(data[:length]) is None for length in range(1, len(data)))


def test_it_may_come_in_many_records():
    data = hello_of("api.example.com")
    message = data[5:]
    records = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in (message[:7], message[7:50], message[50:]))
    assert parse_hello(records).sni == "api.example.com"
    assert parse_hello(records[:-1]) is None


def test_encrypted_client_hello_is_seen():
    data = hello_of("api.example.com")
    assert not parse_hello(data).encrypted
    assert parse_hello(with_extension(data, 0xFE0D, b"\0" * 20)).encrypted


@pytest.mark.parametrize("kind", [0, 0xFE0D])
def test_an_extension_may_be_there_once(kind):
    name = b"\x00\x0b\x00\x00\x08evil.com"
    data = with_extension(with_extension(hello_of("api.example.com"), 0xFE0D, b"\0"), kind, name)
    with pytest.raises(NotTls):
        parse_hello(data)


@pytest.mark.parametrize(
    "name", [b"\x00\x0c\x00\x00\x08evil.com\0", b"\x00\x0b\x01\x00\x08evil.com", b"\x00\x0b\x00\x00\x09evil.com", b"", b"\x00\x0b\x00\x00\x08ev\xffl.com"]
)  # fmt: skip
def test_a_malformed_name_is_no_tls(name):
    with pytest.raises(NotTls):
        parse_hello(with_extension(hello_of(None), 0, name))


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"SSH-2.0-x\r\n", b"\x16\x02\x00\x00\x10", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\x00\x01\x02", b"\x17\x03\x03\x00\x10"])
def test_other_protocols(data):
    with pytest.raises(NotTls):
        parse_hello(data)
