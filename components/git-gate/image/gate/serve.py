"""The service: front, control socket, signing, and the mirrors' first sync."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable

from . import mirror, paths
from .config import Config, Upstream, load
from .control import ControlServer
from .events import EventLog, timestamp
from .faults import Fault
from .front import Front
from .listen import listen
from .sync import Syncs

GIT_PORT = int(os.environ.get("GIT_GATE_PORT", "9418"))
# First syncs at once: a machine has few cores and its upstreams few connections to spare.
AT_ONCE = threading.BoundedSemaphore(4)


class Service:
    """All of git-gate that runs. One a container."""

    def __init__(self) -> None:
        self._log = EventLog()
        self._syncs = Syncs(self._sync_failed, self._write_status)
        self._apply_lock = threading.Lock()
        self._status_lock = threading.Lock()
        self._config: Config | None = None
        self._front = Front(self._syncs, self._log)
        self._ended, self._end = os.pipe()
        os.set_blocking(self._end, False)
        self._status = 0

    def run(self) -> int:
        """Serves until SIGTERM; returns the exit status. Raises ConfigError, OSError."""
        # Written to when the signal comes: a handler of Python's could wait for the read below to end.
        signal.set_wakeup_fd(self._end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        os.makedirs(paths.RUN, 0o700, exist_ok=True)
        mirror.make_health()
        for upstream in load().upstreams:
            mirror.clean(upstream)
        self.apply()
        control = ControlServer({"event": self._record, "apply": lambda _: self.apply()})
        self._thread(control.serve)
        listener = listen(GIT_PORT)
        self._thread(lambda: self._front.serve(listener))
        self._start_signing()
        self._log.write("listening", port=GIT_PORT)
        os.read(self._ended, 1)
        self._front.stop()
        self._log.write("stopped")
        return self._status

    def apply(self) -> dict:
        """Makes what is on disk fit gate.json; new upstreams are fetched in the background. Raises ConfigError."""
        with self._apply_lock:
            config = load()
            known = {} if self._config is None else {upstream.id: upstream for upstream in self._config.upstreams}
            self._config = config
            gone = mirror.remove_others(config)
            self._syncs.forget(set(known) - {upstream.id for upstream in config.upstreams})
            self._write_status()
            self._log.write("applied", revision=config.revision, upstreams=len(config.upstreams), removed=gone or None)
            for upstream in config.upstreams:
                if known.get(upstream.id) != upstream:
                    threading.Thread(target=self._first_sync, args=(upstream,), daemon=True).start()
            return {"revision": config.revision}

    def _first_sync(self, upstream: Upstream) -> None:
        with AT_ONCE:
            self._syncs.sync(upstream)

    def _record(self, request: dict) -> dict:
        self._log.write(request["event"], **request["fields"])
        return {}

    def _sync_failed(self, upstream: Upstream, fault: Fault) -> None:
        self._log.write("sync-failed", upstream=upstream.id, kind=fault.kind, error=str(fault))

    def _write_status(self) -> None:
        with self._status_lock:
            config, states = self._config, dict(self._syncs.states)
            upstreams = {}
            for upstream in config.upstreams if config is not None else ():
                synced, fault = states.get(upstream.id, (None, None))
                upstreams[upstream.id] = {
                    "synced": mirror.was_synced(upstream),
                    "synced_at": None if synced is None else timestamp(synced),
                    "error": None if fault is None else {"kind": fault.kind, "message": str(fault)},
                }
            revision = None if config is None else config.revision
            status = {"revision": revision, "written_at": timestamp(time.time()), "upstreams": upstreams}
            paths.write(paths.STATUS, json.dumps(status, indent=1) + "\n")

    def _start_signing(self) -> None:
        from .sign import SigningServer

        server = SigningServer(self._log)
        self._thread(server.serve)

    def _thread(self, job: Callable[[], None]) -> None:
        """A part without which git-gate is not whole: where it ends, all ends."""

        def run() -> None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - told, and the container ends
                self._log.write("failed", error=f"{type(error).__name__}: {error}")
            self._status = 1
            os.write(self._end, b".")

        threading.Thread(target=run, daemon=True).start()
