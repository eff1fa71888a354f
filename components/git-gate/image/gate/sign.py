"""Port 9419: signs what git wants signed, with a key that stays here. `POST /sign`, the payload as body."""

import os
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from . import gitenv, paths
from .config import Config, load
from .events import EventLog
from .listen import listen
from .node import ConfigError
from .run import run

PORT = int(os.environ.get("GIT_GATE_SIGNING_PORT", "9419"))
MAX_HEAD = 8192
MAX_BODY = 1 << 20
AT_ONCE = 10
A_MINUTE = 600
# Seconds for a whole request.
TIMEOUT = 10
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 411: "Length Required",
            413: "Content Too Large", 429: "Too Many Requests", 500: "Internal Server Error"}  # fmt: skip
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,10})[ \t]*(?=\r\n)", re.IGNORECASE)
_PERSON = rb"[^\n<>\0]* ?<[^\n<>\0]*> [0-9]+ [+-][0-9]{4}\n"
_COMMIT = re.compile(
    rb"tree [0-9a-f]{40,64}\n(?:parent [0-9a-f]{40,64}\n)*author " + _PERSON + rb"committer " + _PERSON
)
_TAG = re.compile(rb"object [0-9a-f]{40,64}\ntype (?:commit|tree|blob|tag)\ntag [^\n\0]+\ntagger " + _PERSON)


class Answer(Exception):
    """An HTTP status and a body of one line."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class SigningServer:
    """One thread a connection, one request a connection."""

    def __init__(self, log: EventLog, read_config: Callable[[], Config] = load, port: int = PORT) -> None:
        self._log = log
        self._read_config = read_config
        self._places = threading.BoundedSemaphore(AT_ONCE)
        # Who finds no place there is told so here.
        self._lobby = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._times: deque[float] = deque()
        self._socket = listen(port)

    def serve(self) -> None:
        """Never returns."""
        while True:
            connection, _ = self._socket.accept()
            for places in (self._places, self._lobby):
                if places.acquire(blocking=False):
                    break
            else:
                connection.close()
                continue
            threading.Thread(target=self._connection, args=(connection, places), daemon=True).start()

    def _connection(self, connection: socket.socket, places: threading.BoundedSemaphore) -> None:
        try:
            with connection:
                try:
                    if places is self._lobby:
                        raise Answer(429, f"{AT_ONCE} requests at once are the most; try again")
                    status, text = 200, self._sign(_read(connection, time.monotonic() + TIMEOUT))
                except Answer as answer:
                    status, text = answer.status, f"{answer.text}\n"
                _reply(connection, status, text)
                _drain(connection)
        except OSError:
            pass  # The agent went away.
        finally:
            places.release()

    def _sign(self, payload: bytes) -> str:
        if not (_COMMIT.match(payload) or _TAG.match(payload)):
            raise Answer(400, "this is neither a commit nor a tag; nothing else is signed")
        try:
            key = self._read_config().signing_key
        except ConfigError:
            raise Answer(500, "git-gate's configuration cannot be read") from None
        if key is None:
            raise Answer(404, "signing is not set up in this bottle; a human can do so with bottle:git.signing")
        self._take_turn()
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", f"{paths.SECRETS}/{key}"]
        result = run(argv, gitenv.plain(), timeout=10, data=payload)
        if result.code != 0 or not result.out.startswith(b"-----BEGIN SSH SIGNATURE-----"):
            self._log.write("sign-failed", error=result.err.strip()[:300])
            raise Answer(500, "the signature could not be made; git-gate's log says why")
        self._log.write("signed", kind="commit" if payload.startswith(b"tree ") else "tag", bytes=len(payload))
        return result.out.decode("ascii")

    def _take_turn(self) -> None:
        now = time.monotonic()
        with self._lock:
            while self._times and self._times[0] < now - 60:
                self._times.popleft()
            if len(self._times) >= A_MINUTE:
                raise Answer(429, f"{A_MINUTE} signatures a minute are the most; try again later")
            self._times.append(now)


def _read(connection: socket.socket, until: float) -> bytes:
    """The body of a request. Raises Answer, OSError."""
    data = b""
    while b"\r\n\r\n" not in data:
        if len(data) > MAX_HEAD:
            raise Answer(400, "the request's head is too long")
        data += _receive(connection, until)
    head, _, body = data.partition(b"\r\n\r\n")
    line = head.split(b"\r\n", 1)[0].split(b" ")
    if len(line) != 3 or not line[2].startswith(b"HTTP/1."):
        raise Answer(400, "this is HTTP/1.1: POST /sign")
    if line[1] != b"/sign":
        raise Answer(404, "there is only /sign")
    if line[0] != b"POST":
        raise Answer(405, "there is only POST")
    lengths = _LENGTH.findall(head + b"\r\n")
    if len(lengths) != 1 or re.search(rb"\r\ntransfer-encoding:", head, re.IGNORECASE):
        raise Answer(411, "one Content-Length is needed")
    length = int(lengths[0])
    if length > MAX_BODY:
        raise Answer(413, f"{MAX_BODY} bytes are the most")
    if re.search(rb"\r\nexpect:[ \t]*100-continue", head, re.IGNORECASE) and not body:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts, there = [body], len(body)
    while there < length:
        parts.append(_receive(connection, until))
        there += len(parts[-1])
    return b"".join(parts)[:length]


def _receive(connection: socket.socket, until: float) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    part = connection.recv(65536)
    if not part:
        raise ConnectionError
    return part


def _reply(connection: socket.socket, status: int, text: str) -> None:
    body = text.encode()
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    connection.settimeout(TIMEOUT)
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def _drain(connection: socket.socket) -> None:
    """A close on unread data would throw the answer away."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(1)
    for _ in range(64):
        if not connection.recv(65536):
            return
