"""How git-gate's own processes (hooks, `docker exec`) reach the serving one: a line of JSON to its socket, a line back.

An event is answered once it is written, so that who sends it knows that there is evidence.
"""

import json
import os
import socket
import threading
from collections.abc import Callable

from . import paths

MAX_LINE = 4 << 20


class ControlError(Exception):
    """The serving process is not there, or could not do what it was asked."""


def ask(timeout: float = 10, **request: object) -> dict:
    """The answer to `{"do": …}`. Raises ControlError."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(paths.CONTROL)
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = _read_line(connection)
    except OSError as error:
        raise ControlError(f"git-gate's service does not answer: {error}") from None
    answer = json.loads(line or b'{"error": "git-gate\'s service gave no answer"}')
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer


def record(event: str, **fields: object) -> None:
    """Has an event written. Raises ControlError where it was not."""
    ask(do="event", event=event, fields=fields)


class ControlServer:
    """Answers in threads of its own; `handlers` by the name of what they do."""

    def __init__(self, handlers: dict[str, Callable[[dict], dict]]) -> None:
        self._handlers = handlers
        self._socket = socket.socket(socket.AF_UNIX)
        if os.path.lexists(paths.CONTROL):
            os.unlink(paths.CONTROL)
        self._socket.bind(paths.CONTROL)
        os.chmod(paths.CONTROL, 0o600)
        self._socket.listen(64)

    def serve(self) -> None:
        """Never returns."""
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                request = json.loads(_read_line(connection))
                connection.settimeout(None)
                answer = self._handlers[request["do"]](request)
            except Exception as error:  # noqa: BLE001 - whatever it is, who asked must hear of it
                answer = {"error": str(error) or type(error).__name__}
            try:
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                pass


def _read_line(connection: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
        if len(data) > MAX_LINE:
            raise OSError("too long a line")
    return bytes(data)
