"""What git, ssh and curl say, and what people read of it."""

import pytest

from gate import faults, hostkeys
from gate.addresses import parse_address
from gate.config import Token, Upstream
from gate.faults import fault_of, kind_of, own_words
from gate.run import Result


@pytest.mark.parametrize("kind, stderr", [
    ("unknown-host-key", "No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking.\r\nHost key verification failed.\r\nfatal: Could not read from remote repository."),
    ("changed-host-key", "@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed."),
    ("denied", "git@github.com: Permission denied (publickey).\r\nfatal: Could not read from remote repository."),
    ("denied", 'Load key "/run/secrets/git-gate/key.a": error in libcrypto\r\ngit@h: Permission denied (publickey).'),
    ("denied", "remote: Invalid username or token.\nfatal: Authentication failed for 'https://github.com/a/b.git/'"),
    ("denied", "fatal: could not read Username for 'https://github.com': terminal prompts disabled"),
    ("denied", "fatal: unable to access 'https://h/a/': The requested URL returned error: 403"),
    ("not-found", "ERROR: Repository not found.\nfatal: Could not read from remote repository."),
    ("not-found", "remote: Repository not found.\nfatal: repository 'https://github.com/a/b.git/' not found"),
    ("not-found", "fatal: '/upstreams/a' does not appear to be a git repository"),
    ("not-found", "remote: The project you were looking for could not be found or you don't have permission to view it."),
    ("untrusted-certificate", "fatal: unable to access 'https://h/': server certificate verification failed. CAfile: /x CRLfile: none"),
    ("untrusted-certificate", "fatal: unable to access 'https://h/': SSL certificate problem: unable to get local issuer certificate"),
    ("moved", "fatal: unable to access 'https://h/a/': The requested URL returned error: 301"),
    ("moved", "fatal: unable to update url base from redirection:\n  asked for: https://a\n   redirect: https://b"),
    ("unreachable", "ssh: Could not resolve hostname nope: Temporary failure in name resolution\r\nfatal: Could not read from remote repository."),
    ("unreachable", "ssh: connect to host h port 22: Connection refused"),
    ("unreachable", "ssh: connect to host h port 22: Connection timed out"),
    ("unreachable", "fatal: unable to access 'https://nope/': Could not resolve host: nope"),
    ("unreachable", "fatal: unable to access 'https://h/': Failed to connect to h port 443 after 2 ms: Couldn't connect to server"),
    ("unreachable", "fatal: unable to access 'https://h/': The requested URL returned error: 503"),
    ("other", "fatal: something quite different"),
])  # fmt: skip
def test_kinds(kind, stderr):
    assert kind_of(stderr) == kind


def upstream(url="ssh://git@git.example.com/a.git", **changes):
    transport = url.split(":")[0]
    values = dict(
        id="one", path="x/one", url=url, transport=transport, address=parse_address(url, transport), key=None, known_hosts="",
        token=None, push=None, serve_stale=False, config_key="bottle:git.upstreams[3]",
    )  # fmt: skip
    return Upstream(**(values | changes))


@pytest.mark.parametrize("stderr, words", [
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "correct bottle:git.upstreams[3].knownHosts"),
    ("x: Permission denied (publickey).", "bottle:git.upstreams[3].identityFile"),
    ("ERROR: Repository not found.", "bottle:git.upstreams[3].url"),
    ("Connection refused", "bottle:git.upstreams[3].serveStale"),
])
def test_messages_name_upstream_host_and_key(stderr, words):
    told = str(fault_of(upstream(), Result(128, b"", stderr, False)))
    assert told.startswith("one: ") and "git.example.com" in told and words in told and "\n" not in told


def test_a_time_limit_is_an_upstream_that_is_away():
    fault = fault_of(upstream(), Result(-9, b"", "", True))
    assert fault.kind == "unreachable" and "no answer in time" in str(fault)


def test_what_people_read_is_one_line_of_plain_text():
    words = own_words("warning: x\nfatal: bad \x1b[31mthing\nCould not read from remote repository.\n")
    assert faults.one_line(words) == "bad  [31mthing"


def test_no_token_is_shown(monkeypatch):
    monkeypatch.setenv("A_TOKEN", "very-secret-value")
    subject = upstream("https://h/a", token=Token("A_TOKEN", "x"))
    told = str(fault_of(subject, Result(128, b"", "fatal: https://x:very-secret-value@h/ is odd", False)))
    assert "very-secret" not in told and "****" in told


SCANNED = """# h:22 SSH-2.0-OpenSSH_10.0
h ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB
# h:22 SSH-2.0-OpenSSH_10.0
h ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=
h ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
h odd-type AAAA
"""


def test_the_best_host_key_is_offered_with_its_fingerprint():
    best = hostkeys.best(SCANNED)
    assert best == "h ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    # GitHub's, as it publishes it.
    assert hostkeys.fingerprint(best) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
    assert hostkeys.best("# nothing\n") is None
