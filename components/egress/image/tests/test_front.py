"""The whole of egress in one process, before a proxy that misbehaves as a test wants it to."""

import asyncio
import json
import re
import socket
import ssl

import pytest

from egress.policy import Policy
from egress.proxy import front
from egress.proxy import handler
from egress.proxy import layers
from egress.proxy import upstream
from egress.proxy.addon import Egress
from egress.proxy.certs import AgentSide
from egress.proxy.certs import ServerSide
from egress.proxy.live import Live

RULES = """
revision: "1"
hosts: [{host: raw.test}]
routes: [{name: api, host: api.test}]
"""


@pytest.fixture
def ask(tmp_path, authority, monkeypatch):
    """ask(host, behaviour): status and reason of a request to `host` while pipelock does `behaviour(reader, writer)`."""
    monkeypatch.setattr(handler, "CONNECT_TIMEOUT", 0.3)
    monkeypatch.setattr(upstream, "CONNECT_TIMEOUT", 0.3)
    (tmp_path / "rules.yaml").write_text(RULES)
    policy = Policy(tmp_path / "rules.yaml", tmp_path / "tokens", tmp_path / "status.json")
    policy.start()
    layers.install(policy.rules.inspected)

    async def run(host, behaviour):
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            await behaviour(reader, writer)

        live = Live()
        pipelock = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = pipelock.sockets[0].getsockname()[1]
        addon = Egress(policy, AgentSide(authority.pem), ServerSide(authority.trust), live)
        acceptor = front.Front(policy, addon, upstream.Upstream(f"http://127.0.0.1:{port}"), live)
        server = await asyncio.start_server(acceptor.accept, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(ssl.create_default_context(cafile=authority.trust), server_hostname=host)
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])
        body = json.loads(await reader.readexactly(length))
        writer.close()
        server.close()
        pipelock.close()
        assert len(live) == 0
        return int(head.split()[1]), body["reason"], body["message"]

    return lambda host, behaviour: asyncio.run(asyncio.wait_for(run(host, behaviour), 5))


HOSTS = pytest.mark.parametrize("host", ["raw.test", "api.test"])


@HOSTS
def test_silence(ask, host):
    async def behaviour(reader, writer):
        await asyncio.sleep(3)

    assert ask(host, behaviour)[:2] == (504, "upstream_timeout")


@HOSTS
def test_an_end_without_a_word(ask, host):
    async def behaviour(reader, writer):
        writer.close()

    assert ask(host, behaviour)[:2] == (502, "upstream_closed")


@HOSTS
def test_an_answer_that_is_not_http(ask, host):
    async def behaviour(reader, writer):
        writer.write(b"SSH-2.0-x\r\n\r\n")

    assert ask(host, behaviour)[:2] == (502, "upstream_closed")


@HOSTS
def test_a_reason_in_pieces(ask, host):
    async def behaviour(reader, writer):
        for piece in (b"HTTP/1.1 403 Forb", b"idden\r\nContent-Len", b"gth: 12\r\n\r\nno, ", b"not that"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    assert ask(host, behaviour) == (403, "upstream_refused", f"pipelock refused the connection to {host}: no, not that.")


@HOSTS
def test_a_name_that_pipelock_cannot_resolve(ask, host):
    async def behaviour(reader, writer):
        words = f"CONNECT blocked: SSRF check failed: DNS resolution error for {host}: lookup {host} on 127.0.0.11:53: no such host"
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(words), words.encode()))
        await writer.drain()

    said = f"{host} cannot be reached: pipelock cannot resolve its name (lookup {host} on 127.0.0.11:53: no such host)."
    assert ask(host, behaviour) == (502, "upstream_unreachable", said)


@HOSTS
def test_a_reason_cut_short(ask, host):
    async def behaviour(reader, writer):
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\n\r\nno")
        writer.close()

    assert ask(host, behaviour)[:2] == (403, "upstream_refused")


def test_silence_instead_of_tls(ask):
    async def behaviour(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.sleep(3)

    assert ask("api.test", behaviour)[:2] == (504, "upstream_timeout")


def test_something_else_instead_of_tls(ask):
    async def behaviour(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n")
        await asyncio.sleep(3)

    assert ask("api.test", behaviour)[:2] == (502, "upstream_tls")


def _unused_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()


def test_a_pipelock_that_restarts_is_waited_for():
    async def run():
        address = _unused_address()
        waiting = asyncio.create_task(upstream.connect_tcp(address, 1024))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        server = await asyncio.start_server(lambda *_: None, *address)
        _, writer = await waiting
        writer.close()
        server.close()

    asyncio.run(asyncio.wait_for(run(), 5))


def test_one_that_stays_away_is_not(monkeypatch):
    monkeypatch.setattr(upstream, "RESTART_TIMEOUT", 0.2)
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(asyncio.wait_for(upstream.connect_tcp(_unused_address(), 1024), 2))
