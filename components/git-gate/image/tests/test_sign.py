"""Signing over HTTP, checked by git itself."""

import socket
import subprocess
import threading

import pytest

from conftest import git

HEAD = "tree " + "1" * 40 + "\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nmessage\n"
TAG = "object " + "1" * 40 + "\ntype commit\ntag v1\ntagger a <a@b> 1 +0000\n\nmessage\n"
# What the agent's git runs in ssh-keygen's place.
SIGNER = r"""#!/usr/bin/python3
import http.client, sys
file = sys.argv[-1]
connection = http.client.HTTPConnection("127.0.0.1", PORT)
connection.request("POST", "/sign", open(file, "rb").read())
answer = connection.getresponse()
assert answer.status == 200, answer.read()
open(file + ".sig", "wb").write(answer.read())
"""


@pytest.fixture
def signing(gate, tmp_path):
    path = gate.root / "run/secrets/git-gate/signing-key"
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(tmp_path / "k")], check=True)
    path.write_text((tmp_path / "k").read_text())
    path.chmod(0o600)
    gate.top["signing"] = {"key": "signing-key"}
    gate.render()
    gate.public = (tmp_path / "k.pub").read_text().strip()
    yield gate
    gate.top["signing"] = None
    gate.render()


def ask(gate, data: bytes) -> tuple[int, str]:
    with socket.create_connection(("127.0.0.1", gate.signing_port), 10) as connection:
        connection.sendall(data)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def post(gate, body, path="/sign", extra="") -> tuple[int, str]:
    body = body.encode() if isinstance(body, str) else body
    return ask(gate, f"POST {path} HTTP/1.1\r\nHost: git-gate\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body)


def test_git_signs_and_verifies(signing, tmp_path):
    git(tmp_path, "init", "--quiet", "work")
    work = tmp_path / "work"
    signer, allowed = tmp_path / "signer", tmp_path / "allowed"
    signer.write_text(SIGNER.replace("PORT", str(signing.signing_port)))
    signer.chmod(0o755)
    allowed.write_text(f"agent {signing.public}\n")
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", f"key::{signing.public}"), ("gpg.ssh.allowedSignersFile", str(allowed))):
        git(work, "config", name, value)
    git(work, "-c", f"gpg.ssh.program={signer}", "commit", "--quiet", "--allow-empty", "-S", "-m", "signed")
    git(work, "-c", f"gpg.ssh.program={signer}", "tag", "-s", "v1", "-m", "signed")
    git(work, "verify-commit", "HEAD")
    git(work, "verify-tag", "v1")
    text = (signing.root / "var/log/git-gate/pushes.jsonl").read_text()
    assert '"event": "signed", "kind": "commit"' in text and '"event": "signed", "kind": "tag"' in text


@pytest.mark.parametrize("body", [HEAD, TAG, HEAD.replace("author", "parent " + "2" * 40 + "\nauthor"), HEAD.replace("\n\nm", "\nencoding x\n\nm")])
def test_what_is_signed(signing, body):
    status, text = post(signing, body)
    assert status == 200 and text.startswith("-----BEGIN SSH SIGNATURE-----\n")


@pytest.mark.parametrize("body", [
    "", "x", "tree x\n", "SSHSIG" + HEAD, HEAD[5:], HEAD.replace("committer", "commiter"), HEAD.replace("author a <a@b> 1 +0000\n", ""), TAG.replace("tagger", "x"),
    "ssh-userauth " + HEAD, "\n" + HEAD,
])  # fmt: skip
def test_nothing_else_is_signed(signing, body):
    status, text = post(signing, body)
    assert status == 400 and text.count("\n") == 1


def test_requests_that_are_none(signing):
    assert post(signing, HEAD, "/other")[0] == 404
    assert ask(signing, b"GET /sign HTTP/1.1\r\n\r\n")[0] == 405
    assert ask(signing, b"POST /sign HTTP/1.1\r\n\r\n")[0] == 411
    assert ask(signing, b"POST /sign HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")[0] == 411
    assert ask(signing, b"POST /sign HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n")[0] == 411
    assert ask(signing, b"POST /sign HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n")[0] == 413
    assert ask(signing, b"nonsense\r\n\r\n")[0] == 400
    assert ask(signing, b"POST /sign HTTP/1.1\r\nX: " + b"x" * 20_000)[0] == 400


def test_curl_that_expects_to_be_asked(signing):
    assert post(signing, HEAD, extra="Expect: 100-continue\r\n")[0] == 200
    head = f"POST /sign HTTP/1.1\r\nContent-Length: {len(HEAD)}\r\nExpect: 100-continue\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", signing.signing_port), 10) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(HEAD.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_a_large_message(signing):
    assert post(signing, HEAD + "x" * (1 << 20 - 1))[0] == 200
    assert post(signing, HEAD + "x" * (1 << 20))[0] == 413


def test_without_a_key(gate):
    assert post(gate, HEAD)[0] == 404


def test_no_more_than_ten_at_once(signing):
    held = [socket.create_connection(("127.0.0.1", signing.signing_port)) for _ in range(10)]
    for connection in held:
        connection.sendall(b"POST /sign")
    status, text = post(signing, HEAD)
    assert status == 429 and "at once" in text
    for connection in held:
        connection.close()
    for _ in range(50):
        if post(signing, HEAD)[0] == 200:
            return
        threading.Event().wait(0.02)
    pytest.fail("places are not given back")


def test_no_more_than_600_a_minute(monkeypatch):
    from gate import sign

    monkeypatch.setattr(sign.socket, "create_server", lambda *_, **__: None)
    server = sign.SigningServer(None)
    clock = iter([0.0] * 600 + [30.0, 61.0])
    monkeypatch.setattr(sign.time, "monotonic", lambda: next(clock))
    for _ in range(600):
        server._take_turn()
    with pytest.raises(sign.Answer, match="600 signatures a minute"):
        server._take_turn()
    server._take_turn()
