"""What an agent can send past its git: raw bytes to port 9418."""

import socket
import threading
import time

import pytest

from conftest import SECRET, git
from gate.push.updates import UpdateError, name_fault, parse_update
from gate.request import Request, RequestError, length_of, parse_request

ZERO = "0" * 40


def packet(data: bytes) -> bytes:
    return f"{len(data) + 4:04x}".encode() + data


def talk(gate, data: bytes, timeout=10) -> bytes:
    """All that comes back until the other side is done."""
    with socket.create_connection(("127.0.0.1", gate.port), timeout) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return receive(connection)


def receive(connection) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def push_raw(project, updates, capabilities=b"report-status", data=None):
    """A push made by hand. `updates`: (old, new, ref) as text or bytes; objects are those of the agent's clone."""
    new = sorted({new for _, new, _ in updates if new.strip("0")})
    have = f"^{project.base}\n" if new else ""
    if data is None and new:
        data = project.work.git("pack-objects", "--revs", "--stdout", "--thin", data=("\n".join(new) + f"\n{have}").encode(), binary=True)
    lines = []
    for index, (old, value, ref) in enumerate(updates):
        ref = ref if isinstance(ref, bytes) else ref.encode()
        lines.append(packet(f"{old} {value} ".encode() + ref + (b"\0" + capabilities if index == 0 else b"")))
    path = f"/{project.entry['path']}.git".encode()
    return talk(project.gate, packet(b"git-receive-pack " + path + b"\0host=git-gate\0") + b"".join(lines) + b"0000" + (data or b""))


@pytest.mark.parametrize("data, request_", [
    (b"git-upload-pack /a/b.git\0host=git-gate\0", Request(False, "a/b")),
    (b"git-upload-pack /a/b\0host=git-gate:9418\0\0version=2\0", Request(False, "a/b")),
    (b"git-receive-pack /a/b.git/\0", Request(True, "a/b")),
    (b"git-upload-pack /a/b.git\n\0host=[::1]:9418\0", Request(False, "a/b")),
])  # fmt: skip
def test_requests(data, request_):
    assert parse_request(packet(data)) == request_


@pytest.mark.parametrize("data", [
    b"git-upload-archive /a\0host=x\0",
    b"git-upload-pack a\0host=x\0",
    b"git-upload-pack /a b\0host=x\0",
    b"git-upload-pack /a\0host=x\0extra\0",
    b"git-upload-pack /a\0host=x\0\0version=2\0evil=1\0",
    b"git-upload-pack /a\0host=$(id).example\0",
    b"git-upload-pack /a\0host=" + b"x" * 300 + b"\0",
    b"git-upload-pack /a\0/b\0",
    b"git-upload-pack /\xff\0",
    b"git-upload-pack /a\n\n\0",
    b"GET / HTTP/1.1\r\n",
    b"",
])  # fmt: skip
def test_requests_that_are_none(data):
    with pytest.raises(RequestError):
        parse_request(packet(data))


@pytest.mark.parametrize("head", [b"GET ", b"0000", b"0004", b"ffff", b"+010", b"0x10", b" 010", b"", b"00"])
def test_lengths_that_are_none(head):
    with pytest.raises(RequestError):
        length_of(head)


@pytest.mark.parametrize("path", [
    "/../etc", "/file/../../x", "//etc/passwd", "/~root/x", "/health.git/../x", "/.gone-1.git", "/file", "/", "/srv/git/x", "/run/git-gate/health",
])  # fmt: skip
def test_paths_that_lead_nowhere(gate, project, path):
    answer = talk(gate, packet(b"git-upload-pack " + path.encode() + b"\0host=git-gate\0"))
    assert answer[4:8] == b"ERR ", answer


def test_the_error_says_what_is_there(gate, project):
    answer = talk(gate, packet(b"git-upload-pack /nope\0host=git-gate\0"))
    assert b"nope is not among this bottle's git upstreams" in answer and b"(file/" in answer


def test_an_upload_archive_is_refused(gate, project):
    path = f"/{project.entry['path']}".encode()
    assert talk(gate, packet(b"git-upload-archive " + path + b"\0host=git-gate\0"))[4:8] == b"ERR "


def test_http_gets_an_answer(gate):
    assert b"ERR this is git's own protocol" in talk(gate, b"GET / HTTP/1.0\r\n\r\n")


# The first of them by a real push as well: receive-pack itself does not look at names that go to proc-receive.
ODD_REFS = [
    b"refs/heads/agent/x\n" + ZERO.encode() + b" " + b"1" * 40 + b" refs/heads/main",
    b"refs/heads/agent/x\nrefs/heads/main", b"refs/heads/agent/../../tags/v1", b"refs/heads/agent/a b", b"refs/heads/agent/x.lock",
    b"refs/heads/agent//x", b"refs/heads/agent/\x1b[2J", b"refs/heads/agent/\xff", b"refs/heads/agent/" + b"x" * 300, b"refs/heads/agent/@{1}",
    b"refs/heads/agent/x:refs/heads/main", b"refs/heads/agent/-x/", b"HEAD", b"refs", b"refs/heads", b"refs/heads/", b"refs/heads/HEAD", b"x",
    b"../../x", b"refs/heads/agent/x\r", b"refs/heads/agent/*", b"refs/heads/agent/~1", b"--all",
]  # fmt: skip


def test_odd_refs(project):
    project.allow(branches=["**"], tags=["**"], force=True, delete=True)
    value = project.work.commit(a="x\n")
    before = project.refs()
    for ref in ODD_REFS[:8]:
        push_raw(project, [(ZERO, value, ref)])
        assert project.refs() == before, ref


@pytest.mark.parametrize("ref", ODD_REFS)
def test_names_that_are_none(ref):
    with pytest.raises(UpdateError):
        parse_update(f"{ZERO} {'a' * 40} {ref.decode('utf-8', 'surrogateescape')}")


def test_names_that_git_takes(project):
    project.allow(branches=["**"])
    names = ("refs/heads/ünïcode/ß", "refs/heads/a+b=c,d;e'f\"g$h(i)|j&k#l%m", "refs/heads/refs/heads/x", "refs/heads/@x", "refs/heads/a-")
    code, told = project.work.push(*(f"HEAD:{name}" for name in names))
    assert code == 0 and {*names} <= {*project.refs()}, told


def test_updates_that_are_none():
    for line in ("", "x", f"{ZERO} {ZERO}", f"{ZERO} {'g' * 40} refs/heads/a", f"{ZERO[:-1]} {ZERO} refs/heads/a", f"{ZERO} {ZERO} refs/heads/a\n"):
        with pytest.raises(UpdateError):
            parse_update(line)


def test_lying_about_the_old_value_gains_nothing(project):
    project.work.commit(a="x\n")
    project.work.push("agent/x")
    theirs = project.refs()["refs/heads/agent/x"]
    project.work.git("checkout", "--quiet", "-B", "agent/y", project.base)
    mine = project.work.commit(b="y\n")
    for old in (ZERO, project.base, mine, "1" * 40):
        told = push_raw(project, [(old, mine, "refs/heads/agent/x")])
        assert b"ng refs/heads/agent/x" in told or b"unpack" not in told, told
        assert project.refs()["refs/heads/agent/x"] == theirs
    push_raw(project, [(ZERO, ZERO, "refs/heads/main"), (ZERO, ZERO, "refs/heads/agent/x")])
    assert project.refs()["refs/heads/agent/x"] == theirs


def test_the_same_ref_twice(project):
    one, two = project.work.commit(a="x\n"), project.work.commit(a="y\n")
    push_raw(project, [(ZERO, one, "refs/heads/agent/x"), (ZERO, two, "refs/heads/agent/x")])
    assert "refs/heads/agent/x" not in project.refs()


def test_objects_that_do_not_come(project):
    value = project.work.commit(a="x\n")
    project.work.commit(b="y\n")
    tip = project.work.git("rev-parse", "HEAD")
    # Only the tip's objects: its parent is missing.
    data = project.work.git("pack-objects", "--stdout", data=f"{tip}\n".encode(), binary=True)
    push_raw(project, [(ZERO, tip, "refs/heads/agent/x")], data=data)
    push_raw(project, [(ZERO, "1" * 40, "refs/heads/agent/x")], data=data)
    push_raw(project, [(ZERO, value, "refs/heads/agent/x")], data=b"PACK\0\0\0\2\0\0\0\0")
    assert list(project.refs()) == ["refs/heads/main"]


def test_a_shallow_push_hides_no_parents(project):
    project.work.commit(a=f"{SECRET}\n")
    parent = project.work.git("rev-parse", "HEAD")
    tip = project.work.commit(a="clean\n")
    data = project.work.git("pack-objects", "--revs", "--stdout", data=f"{tip}\n^{parent}\n".encode(), binary=True)
    line = packet(f"{ZERO} {tip} refs/heads/agent/x".encode() + b"\0report-status")
    path = f"/{project.entry['path']}".encode()
    request = packet(b"git-receive-pack " + path + b"\0host=git-gate\0")
    for shallow in (tip, parent):
        talk(project.gate, request + packet(b"shallow " + shallow.encode()) + line + b"0000" + data)
        assert list(project.refs()) == ["refs/heads/main"]


def test_push_options_and_certificates_are_not_offered(project):
    answer = talk(project.gate, packet(b"git-receive-pack /" + project.entry["path"].encode() + b"\0host=x\0") + b"0000")
    assert b"report-status" in answer and b"push-options" not in answer and b"push-cert" not in answer


def test_refused_objects_cannot_be_fetched(project):
    value = project.work.commit(a=f"{SECRET}\n")
    assert project.work.push("agent/x")[0] != 0
    other = project.clone("other")
    with pytest.raises(AssertionError):
        other.git("fetch", "--quiet", "origin", value)


def test_too_many_connections_lock_nobody_out_for_long(own_gate):
    """And none from outside keeps the health check from its answer; here all are local, so the limit is the unit's."""
    own_gate.start()
    held = [socket.create_connection(("127.0.0.1", own_gate.port)) for _ in range(60)]
    started = time.monotonic()
    answer = talk(own_gate, packet(b"git-upload-pack /health.git\0host=x\0") + b"0000")
    assert answer.endswith(b"0000") and time.monotonic() - started < 2
    for connection in held:
        connection.close()


def test_the_limit_of_connections(gate, monkeypatch, tmp_path):
    from gate import front
    from gate.config import Config, Limits
    from gate.events import EventLog

    monkeypatch.setattr(front, "_LOCAL", frozenset())
    limits = Limits(1, 1, 1, 1, 2)
    log = EventLog(str(tmp_path / "pushes.jsonl"))
    subject = front.Front(None, log, lambda: Config("r", (), limits, None, None, False))
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=subject.serve, args=(listener,), daemon=True).start()
    held = [socket.create_connection(listener.getsockname()) for _ in range(2)]
    time.sleep(0.1)
    with socket.create_connection(listener.getsockname()) as connection:
        connection.sendall(packet(b"git-upload-pack /x\0host=x\0"))
        assert b"2 connections are open" in receive(connection)
    for connection in held:
        connection.close()
    time.sleep(0.2)
    with socket.create_connection(listener.getsockname()) as connection:
        connection.sendall(packet(b"git-upload-pack /x\0host=x\0"))
        assert b"not among" in receive(connection)


def test_a_slow_request_comes_through(gate, project):
    data = packet(b"git-upload-pack /" + project.entry["path"].encode() + b"\0host=git-gate\0")
    with socket.create_connection(("127.0.0.1", gate.port), 10) as connection:
        for byte in (data[:2], data[2:10], data[10:]):
            connection.sendall(byte)
            time.sleep(0.05)
        connection.sendall(b"0000")
        assert git(project.upstream, "rev-parse", "main").encode() in receive(connection)
