"""A set of rules with one of each kind, and what stands around the addon."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

RULES = """
revision: "r1"
strip_headers: [authorization, x-api-key]
hosts:
  - host: docs.example.com
  - host: "*.example.org"
  - {host: scanned.example.com, inspect: true}
  - {host: brief.example.com, expires: "2026-01-01T00:00:00Z"}
routes:
  - name: llm
    host: api.example.com
    methods: [GET, POST]
    paths: ["/v1/**"]
    auth: {token: LLM_KEY, header: x-api-key, scheme: raw}
  - name: live
    host: api.example.com
    paths: ["/live"]
    websocket: true
    expires: "2026-06-01T00:00:00Z"
  - name: beta
    host: api.example.com
    methods: [GET]
    paths: ["/beta"]
    query: {on: "true", page: "p*"}
  - name: git
    host: "*.git.example.com"
    auth: {token: GIT_TOKEN, scheme: basic, username: x-token, optional: true}
  - {name: plain, host: plain.example.com, scheme: http, port: 8080}
"""


class Authority:
    """A certificate authority for tests."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                # Python 3.13 verifies strictly: a CA without key usage is none.
                x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.pem = folder / "ca.pem"
        encoding = serialization.Encoding.PEM
        key = self.key.private_bytes(
            encoding, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        self.pem.write_bytes(key + self.certificate.public_bytes(encoding))
        self.trust = folder / "trust.pem"
        self.trust.write_bytes(self.certificate.public_bytes(encoding))


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def rules_text() -> str:
    return RULES
