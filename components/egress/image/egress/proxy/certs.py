"""TLS on both sides: leaf certificates for the agent's side, verification of the servers' side."""

import datetime
import ipaddress
import time
from collections import OrderedDict
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

_MAX_LEAVES = 256
_LEAF_DAYS = 7
_RENEW_AFTER = 24 * 3600.0
_HOST_FLAGS = SSL._lib.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | getattr(SSL._lib, "X509_CHECK_FLAG_NEVER_CHECK_SUBJECT", 0)


def _select_http1(_: SSL.Connection, offered: list[bytes]):
    # HTTP/2 is off on both sides: one parser less that could read a request differently.
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


class AgentSide:
    """TLS contexts by host name, each with a leaf certificate of the bottle's CA."""

    def __init__(self, ca_file: Path) -> None:
        """Reads key and certificate from one PEM file. Raises OSError or ValueError."""
        pem = ca_file.read_bytes()
        self._ca_key = serialization.load_pem_private_key(pem, None)
        self._ca = x509.load_pem_x509_certificate(pem)
        if self._ca_key.public_key() != self._ca.public_key():
            raise ValueError("key and certificate do not belong together")
        # One key for all leaves, not the CA's: that one signs certificates only.
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: OrderedDict[str, tuple[float, SSL.Context]] = OrderedDict()

    def connection(self, host: str) -> SSL.Connection:
        """A server-side TLS connection that shows a certificate for `host` (a name or an address)."""
        cached = self._contexts.get(host)
        if cached and time.monotonic() - cached[0] < _RENEW_AFTER:
            self._contexts.move_to_end(host)
            context = cached[1]
        else:
            context = self._context(host)
            self._contexts[host] = (time.monotonic(), context)
            if len(self._contexts) > _MAX_LEAVES:
                self._contexts.popitem(last=False)
        connection = SSL.Connection(context)
        connection.set_accept_state()
        return connection

    def _context(self, host: str) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_alpn_select_callback(_select_http1)
        context.set_session_id(b"egress")
        context.use_certificate(self._leaf(host))
        context.use_privatekey(self._leaf_key)
        return context

    def _leaf(self, host: str) -> x509.Certificate:
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        now = datetime.datetime.now(datetime.UTC)
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, host)] if len(host) <= 64 else []
        try:
            issuer_id = self._ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id)
        except x509.ExtensionNotFound:
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._ca.public_key())
        return (
            x509.CertificateBuilder()
            .issuer_name(self._ca.subject)
            .subject_name(x509.Name(subject))
            .public_key(self._leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(min(now + datetime.timedelta(days=_LEAF_DAYS), self._ca.not_valid_after_utc))
            .add_extension(x509.SubjectAlternativeName([name]), critical=not subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(authority, critical=False)
            .sign(self._ca_key, hashes.SHA256())
        )


class ServerSide:
    """TLS toward servers (or pipelock in their place): verified against the given roots, by name."""

    def __init__(self, trust_file: Path) -> None:
        """Raises OSError or SSL.Error."""
        trust_file.stat()
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_2_VERSION)
        self._context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        self._context.set_verify(SSL.VERIFY_PEER)
        self._context.load_verify_locations(str(trust_file))
        self._context.set_alpn_protos([b"http/1.1"])

    def connection(self, host: str) -> SSL.Connection:
        """A client-side TLS connection that accepts a certificate for `host` only."""
        connection = SSL.Connection(self._context)
        name = host.encode("ascii")
        connection.set_tlsext_host_name(name)
        param = SSL._lib.SSL_get0_param(connection._ssl)
        SSL._lib.X509_VERIFY_PARAM_set_hostflags(param, _HOST_FLAGS)
        SSL._openssl_assert(SSL._lib.X509_VERIFY_PARAM_set1_host(param, name, len(name)) == 1)
        connection.set_connect_state()
        return connection
