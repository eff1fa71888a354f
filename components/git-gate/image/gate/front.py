"""What stands on port 9418: decides each connection, brings the mirror up to date, and hands the socket to git daemon.

git daemon listens nowhere itself: with an access hook it would look up in DNS whatever host the agent names,
which is a way out of the bottle; here it is started for one connection, once the request is one of ours.
"""

import socket
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable

from . import ask, gitenv, mirror, paths
from .config import Config, Upstream, load
from .events import EventLog
from .node import ConfigError
from .request import Request, RequestError, length_of, parse_request, refusal
from .run import first_to_go, kill
from .sync import Syncs
from .trace import Trace

# Seconds: for the first packet, and for a whole connection.
REQUEST_TIMEOUT = 10
LONGEST = 4 * 3600
# Unknown repositories that are written down in a minute: an agent that floods must not push other evidence out.
UNKNOWN_A_MINUTE = 10
_LOCAL = frozenset(("127.0.0.1", "::1", "::ffff:127.0.0.1"))


class Front:
    """Connections that are served. Thread-safe."""

    def __init__(self, syncs: Syncs, log: EventLog, read_config: Callable[[], Config] = load) -> None:
        self._syncs = syncs
        self._log = log
        self._read_config = read_config
        self._lock = threading.Lock()
        self._count = 0
        self._children: set[subprocess.Popen] = set()
        self._unknown_at: deque[float] = deque(maxlen=UNKNOWN_A_MINUTE)

    def serve(self, listener: socket.socket) -> None:
        """Never returns; raises OSError where the listener fails."""
        while True:
            connection, peer = listener.accept()
            threading.Thread(target=self._connection, args=(connection, peer[0] in _LOCAL), daemon=True).start()

    def stop(self) -> None:
        """Ends all connections."""
        with self._lock:
            for child in self._children:
                child.terminate()

    def _connection(self, connection: socket.socket, local: bool) -> None:
        with self._lock:
            self._count += not local
            count = self._count
        try:
            with connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                self._serve(connection, local, count)
        except OSError:
            pass  # The agent went away.
        finally:
            with self._lock:
                self._count -= not local

    def _serve(self, connection: socket.socket, local: bool, count: int) -> None:
        try:
            config = self._read_config()
            request = _peek(connection)
            if count > config.limits.connections and not local:
                raise RequestError(f"git-gate: {config.limits.connections} connections are open; try again later")
            if local and request == Request(False, "health"):
                return self._hand_over(connection, paths.RUN, f"{paths.RUN}/health.git", gitenv.plain(), push=False)
            upstream = self._admit(config, request)
        except RequestError as error:
            return _refuse(connection, str(error))
        except ConfigError as error:
            self._log.write("config-refused", error=str(error))
            return _refuse(connection, "git-gate: its configuration cannot be read; nothing is served")
        env = gitenv.for_agent(upstream, config, request.push)
        if not request.push:
            return self._hand_over(connection, paths.MIRRORS, upstream.mirror, env, push=False)
        with Trace() as trace:
            self._hand_over(connection, paths.MIRRORS, upstream.mirror, env | trace.env, push=True)
            outcome, reason = trace.untold() or (None, None)
        if outcome is not None:
            self._log.write("push", upstream=upstream.id, refs=[], outcome=outcome, reason=reason, findings=[])

    def _admit(self, config: Config, request: Request) -> Upstream:
        """The upstream that a request is for, its mirror up to date. Raises RequestError."""
        upstream = next((upstream for upstream in config.upstreams if upstream.path == request.path), None)
        if upstream is None:
            raise self._unknown(config, request)
        if request.push and upstream.push is None:
            reason = f"{upstream.id} is read-only here; a human can allow pushes with {upstream.config_key}.push"
            way = ask.for_refs(config, upstream, [], [])
            self._log.write("push", upstream=upstream.id, refs=[], commits=0, outcome="refused", reason=reason, ask=way)
            raise RequestError(f"git-gate: {reason}{_to_ask(way)}")
        fault = self._syncs.sync(upstream)
        if fault is not None:
            stale = upstream.serve_stale and fault.kind == "unreachable" and not request.push
            if not (stale and mirror.was_synced(upstream)):
                raise RequestError(f"git-gate: {fault}")
        return upstream

    def _unknown(self, config: Config, request: Request) -> RequestError:
        reason = f"{request.path} is not among this bottle's git upstreams"
        way = ask.for_upstream(config, request.path)
        if self._is_rare():
            self._log.write("refused", path=request.path, push=request.push, outcome="refused", reason=reason, ask=way)
        if way is not None:
            return RequestError(f"git-gate: {reason}{_to_ask(way)}")
        there = ", ".join(upstream.path for upstream in config.upstreams)
        return RequestError(f"git-gate: {reason} ({there or 'none'}); a human can add it to bottle:git.upstreams")

    def _is_rare(self) -> bool:
        now = time.monotonic()
        with self._lock:
            times = self._unknown_at
            if len(times) == times.maxlen and now - times[0] < 60:
                return False
            times.append(now)
            return True

    def _hand_over(
        self, connection: socket.socket, base: str, repository: str, env: dict[str, str], push: bool
    ) -> None:
        argv = ["git", "daemon", "--inetd", "--log-destination=none", "--informative-errors", f"--base-path={base}"]
        argv += ["--init-timeout=10", "--timeout=300", *(("--enable=receive-pack",) if push else ()), repository]
        _time_limit(connection, 0)
        child = subprocess.Popen(
            argv,
            env=env,
            cwd="/",
            stdin=connection,
            stdout=connection,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        first_to_go(child.pid)
        with self._lock:
            self._children.add(child)
        try:
            child.wait(LONGEST)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with self._lock:
                self._children.discard(child)
            kill(child)


def _to_ask(way: dict | None) -> str:
    return "" if way is None else f"; {ask.told(way)}"


def _peek(connection: socket.socket) -> Request:
    """Reads a request and leaves it where git daemon finds it. Raises RequestError, OSError."""
    _time_limit(connection, REQUEST_TIMEOUT)
    flags = socket.MSG_PEEK | socket.MSG_WAITALL
    try:
        length = length_of(connection.recv(4, flags))
        packet = connection.recv(length, flags)
    except BlockingIOError:
        raise RequestError("the request did not come in time") from None
    if len(packet) != length:
        raise RequestError("the request is cut short")
    return parse_request(packet)


def _time_limit(connection: socket.socket, seconds: int) -> None:
    # Of the kernel's own, not Python's: git inherits a socket that blocks.
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", seconds, 0))


def _refuse(connection: socket.socket, message: str) -> None:
    """Says why, and takes what was sent: a close on unread data would throw the message away."""
    _time_limit(connection, 1)
    connection.sendall(refusal(message))
    connection.shutdown(socket.SHUT_WR)
    for _ in range(64):
        if not connection.recv(65536):
            return
