import datetime

import pytest
from cryptography import x509
from OpenSSL import SSL

from egress.proxy.certs import AgentSide
from egress.proxy.certs import ServerSide


def shake(client: SSL.Connection, server: SSL.Connection) -> None:
    """Runs a handshake in memory."""
    done = {client: False, server: False}
    for _ in range(20):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
                done[one] = True
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(one.bio_read(65536))
            except SSL.WantReadError:
                pass
        if all(done.values()):
            return
    raise AssertionError("no end to the handshake")


def connect(authority, asked: str, expected: str, alpn=None):
    server = AgentSide(authority.pem).connection(asked)
    client = ServerSide(authority.trust).connection(expected)
    if alpn:
        client.set_alpn_protos(alpn)
    shake(client, server)
    return client


def test_the_agent_gets_a_certificate_for_the_host_it_asked_for(authority):
    client = connect(authority, "api.example.com", "api.example.com")
    leaf = client.get_peer_certificate(as_cryptography=True)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName("api.example.com")]
    assert leaf.public_key() != authority.certificate.public_key()
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.not_valid_after_utc <= authority.certificate.not_valid_after_utc
    assert leaf.not_valid_before_utc < datetime.datetime.now(datetime.UTC)


def test_an_address_has_one_too(authority):
    context = AgentSide(authority.pem)
    assert isinstance(context.connection("1.2.3.4"), SSL.Connection)


def test_a_server_with_another_name_is_refused(authority):
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        connect(authority, "evil.com", "api.example.com")


def test_an_unknown_authority_is_refused(authority, tmp_path):
    from conftest import Authority

    server = AgentSide(Authority(tmp_path).pem).connection("api.example.com")
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        shake(ServerSide(authority.trust).connection("api.example.com"), server)


def test_http_2_is_never_chosen(authority):
    assert connect(authority, "a.example.com", "a.example.com", [b"h2", b"http/1.1"]).get_alpn_proto_negotiated() == b"http/1.1"
    assert connect(authority, "a.example.com", "a.example.com", [b"h2"]).get_alpn_proto_negotiated() == b""


def test_leaves_are_kept_and_bounded(authority):
    side = AgentSide(authority.pem)
    first = side.connection("a.example.com").get_context()
    assert side.connection("a.example.com").get_context() is first
    for number in range(300):
        side.connection(f"h{number}.example.com")
    assert len(side._contexts) == 256


def test_a_key_of_another_certificate_is_refused(authority, tmp_path):
    from conftest import Authority

    other = Authority(tmp_path)
    mixed = tmp_path / "mixed.pem"
    mixed.write_bytes(other.pem.read_bytes().partition(b"-----BEGIN CERT")[0] + authority.trust.read_bytes())
    with pytest.raises(ValueError):
        AgentSide(mixed)


def test_a_trust_file_must_be_there(tmp_path):
    with pytest.raises(OSError):
        ServerSide(tmp_path / "none.pem")
