"""ssh to a real sshd, https to a real TLS server: both here, without a network."""

import http.server
import os
import ssl
import subprocess
import threading
from base64 import b64encode
from pathlib import Path

import pytest

from conftest import AGENT, Project, Work, _free_port, git

TOKEN = "token-of-the-upstream"


def key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sshd")
    host, user = key(folder / "host"), key(folder / "user")
    port = _free_port()
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host}\nAuthorizedKeysFile {folder}/authorized\nUsePAM no\nStrictModes no\nPidFile none\n"
    )
    process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")], stderr=open(folder / "log", "wb"))
    while "Server listening" not in (folder / "log").read_text():
        assert process.poll() is None, (folder / "log").read_text()
    yield port, folder
    process.terminate()
    process.wait()


@pytest.fixture
def by_ssh(project, sshd):
    """A project whose upstream is reached by ssh."""
    port, folder = sshd
    secret = project.gate.root / "run/secrets/git-gate/key.one"
    secret.write_text((folder / "user").read_text())
    secret.chmod(0o600)
    name = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    host_key = " ".join((folder / "host.pub").read_text().split()[:2])
    project.known = f"[127.0.0.1]:{port} {host_key}\n"
    project.set(url=f"ssh://{name}@127.0.0.1:{port}{project.upstream}", transport="ssh", key="key.one", known_hosts=project.known)
    return project


def failure(project) -> str:
    with pytest.raises(AssertionError) as caught:
        git(project.folder, "ls-remote", project.gate.url(project.name))
    return str(caught.value)


def test_ssh_fetches_and_pushes(by_ssh):
    value = by_ssh.work.commit(a="x\n")
    code, told = by_ssh.work.push("agent/x")
    assert code == 0 and by_ssh.refs()["refs/heads/agent/x"] == value, told


def test_an_unknown_host_key_is_told_with_the_line_to_add(by_ssh):
    by_ssh.set(known_hosts="")
    told = failure(by_ssh)
    assert "the host key of 127.0.0.1 is not known" in told and "bottle:git.upstreams[0].knownHosts" in told
    assert f'"{by_ssh.known.strip()}" (SHA256:' in told
    by_ssh.set(known_hosts=by_ssh.known)
    assert by_ssh.base in git(by_ssh.folder, "ls-remote", by_ssh.gate.url(by_ssh.name))


def test_a_changed_host_key(by_ssh, tmp_path):
    other = " ".join(key(tmp_path / "other").with_suffix(".pub").read_text().split()[:2])
    by_ssh.set(known_hosts=by_ssh.known.split(" ", 1)[0] + f" {other}\n")
    assert "is not the one in bottle:git.upstreams[0].knownHosts" in failure(by_ssh)


def test_a_key_that_the_host_does_not_know(by_ssh, tmp_path):
    secret = by_ssh.gate.root / "run/secrets/git-gate/key.one"
    secret.write_text(key(tmp_path / "other").read_text())
    told = failure(by_ssh)
    assert "does not let git-gate in" in told and "bottle:git.upstreams[0].identityFile" in told
    secret.unlink()
    assert "does not let git-gate in" in failure(by_ssh)


def test_check_tells_of_all_kinds(by_ssh):
    gate = by_ssh.gate
    gate.add("gone")
    gate.add("away", url="https://127.0.0.1:1/x", transport="https")
    result = gate.command("check", by_ssh.name, "gone", "away")
    import json

    answers = {answer["id"]: answer for answer in json.loads(result.stdout)}
    assert result.returncode == 0
    assert answers[by_ssh.name] == {"id": by_ssh.name, "ok": True, "kind": None, "message": None}
    assert (answers["gone"]["ok"], answers["gone"]["kind"]) == (False, "not-found")
    assert answers["away"]["kind"] == "unreachable" and answers["away"]["message"].startswith("away: ")


class Smart(http.server.BaseHTTPRequestHandler):
    """git's smart HTTP (https://git-scm.com/docs/gitprotocol-http), behind a login."""

    repository: str
    seen: list[tuple[str, str | None]]

    def do_GET(self):
        self._serve(self.path.partition("service=git-")[2], ["--http-backend-info-refs"], b"")

    def do_POST(self):
        length = self.headers["Content-Length"]
        body = self.rfile.read(int(length)) if length else b"".join(self._chunks())
        self._serve(self.path.rpartition("/git-")[2], [], body)

    def _chunks(self):
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _serve(self, service, options, body):
        self.seen.append((self.command, self.headers["Authorization"]))
        if self.path.startswith("/moved"):
            self.send_response(301)
            self.send_header("Location", "/repo/info/refs?service=git-upload-pack")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.headers["Authorization"] != "Basic " + b64encode(f"someone:{TOKEN}".encode()).decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if not self.path.startswith("/repo/"):
            self.send_error(404)
            return
        env = AGENT | {"GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
        out = subprocess.run(["git", service, "--stateless-rpc", *options, self.repository], input=body, env=env, capture_output=True).stdout
        if options:
            line = f"# service=git-{service}\n".encode()
            out = f"{len(line) + 4:04x}".encode() + line + b"0000" + out
        self.send_response(200)
        self.send_header("Content-Type", f"application/x-git-{service}-{'advertisement' if options else 'result'}")
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """(port, CA file) of a TLS server for git.test-like names; here by address."""
    folder = tmp_path_factory.mktemp("tls")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test"]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(folder / "ca")]
    subprocess.run(argv, check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Smart)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca", folder / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], folder / "ca"
    server.shutdown()


@pytest.fixture
def by_https(project, tls):
    port, ca = tls
    Smart.repository, Smart.seen = str(project.upstream), []
    git(project.upstream, "config", "http.receivepack", "true")
    (project.gate.root / "etc/git-gate/trust/upstream.pem").write_text(ca.read_text())
    secret = project.gate.root / "run/secrets/git-gate/THE_TOKEN"
    secret.write_text(TOKEN + "\n")
    project.secret = secret
    project.set(url=f"https://127.0.0.1:{port}/repo", transport="https", token={"id": "THE_TOKEN", "username": "someone"})
    return project


def test_https_fetches_and_pushes(by_https):
    value = by_https.work.commit(a="x\n")
    code, told = by_https.work.push("agent/x")
    assert code == 0 and by_https.refs()["refs/heads/agent/x"] == value, told


def test_a_wrong_token(by_https):
    by_https.secret.write_text("not-the-right-one")
    told = failure(by_https)
    assert "does not let git-gate in" in told and "bottle:git.upstreams[0].token" in told and "not-the-right" not in told


def test_a_missing_token(by_https):
    by_https.secret.unlink()
    assert "does not let git-gate in" in failure(by_https)


def test_a_token_in_a_variable(own_gate, template, tmp_path, tls):
    port, ca = tls
    own_gate.env["THE_TOKEN"] = TOKEN
    project = Project(own_gate, "one", tmp_path, template)
    (own_gate.root / "etc/git-gate/trust/upstream.pem").write_text(ca.read_text())
    Smart.repository, Smart.seen = str(project.upstream), []
    project.set(url=f"https://127.0.0.1:{port}/repo", transport="https", token={"id": "THE_TOKEN", "username": "someone"})
    own_gate.start()
    value = project.work.commit(a="x\n")
    code, told = project.work.push("agent/x")
    assert code == 0 and project.refs()["refs/heads/agent/x"] == value, told


def test_a_certificate_that_is_not_trusted(by_https):
    (by_https.gate.root / "etc/git-gate/trust/upstream.pem").write_text(Path("/etc/ssl/certs/ca-certificates.crt").read_text())
    told = failure(by_https)
    assert "the certificate of 127.0.0.1 is not trusted" in told and "bottle:trust" in told
    assert Smart.seen == []


def test_redirects_are_not_followed(by_https):
    by_https.set(url=by_https.entry["url"].replace("/repo", "/moved"))
    told = failure(by_https)
    assert "redirects to another address" in told and "bottle:git.upstreams[0].url" in told
    assert len(Smart.seen) == 1


def test_no_such_repository(by_https):
    by_https.set(url=by_https.entry["url"].replace("/repo", "/none"))
    assert "has no such repository" in failure(by_https)


def test_the_token_goes_to_its_host_alone(tmp_path):
    (tmp_path / "T").write_text(TOKEN)
    env = {"GIT_GATE_HOST": "git.example.com", "GIT_GATE_USERNAME": "x", "GIT_GATE_TOKEN": "T", "GIT_GATE_TOKEN_FILE": str(tmp_path / "T")}
    env["PATH"] = os.environ["PATH"]

    def ask(words, action="get"):
        return subprocess.run(["/opt/git-gate/bin/credential", action], input=words, env=env, capture_output=True, text=True).stdout

    assert ask("protocol=https\nhost=git.example.com\n\n") == f"username=x\npassword={TOKEN}\n"
    for words in ("protocol=http\nhost=git.example.com\n", "protocol=https\nhost=git.example.com.evil.com\n", "protocol=https\nhost=git.example.com:8443\n", ""):
        assert ask(words) == ""
    assert ask("protocol=https\nhost=git.example.com\n", "store") == ""


def test_an_https_redirect_to_another_transport_is_not_followed(project):
    """A transport that is not the upstream's own is refused by git itself."""
    work = Work(project.folder)
    from gate import gitenv
    from gate.config import load

    subject = next(u for u in load(str(project.gate.root / "etc/git-gate/config/gate.json")).upstreams if u.id == project.name)
    env = gitenv.to_upstream(subject)
    for url in ("ext::sh -c id", "http://127.0.0.1:1/x", "git://127.0.0.1:1/x", "ssh://127.0.0.1:1/x"):
        result = subprocess.run(["git", "ls-remote", url], cwd=work.folder, env=env, capture_output=True, text=True)
        assert "not allowed" in result.stderr
