"""The running sidecar: start, signals, stop."""

import asyncio
import gc
import os
import signal
import sys
import time
from pathlib import Path

from . import log
from .policy import Policy
from .rules import RulesError

LISTEN = ("0.0.0.0", 8080)
RULES = Path("/etc/bottle/rules/rules.yaml")
CA = Path("/etc/bottle/ca/mitmproxy-ca.pem")
TRUST = Path("/etc/bottle/trust/upstream.pem")
TOKENS = Path("/run/tokens")
STATUS = Path("/run/egress/status.json")
EVIDENCE = Path("/var/log/egress")


class StartError(Exception):
    """Why egress does not start."""


def serve() -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status."""
    started = time.monotonic()
    # A reload asked for while egress starts is done once it can; unhandled, the signal would end it.
    early: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, frame: early.append(number))
    policy = Policy(RULES, TOKENS, STATUS)
    try:
        log.keep(EVIDENCE)
    except OSError as error:
        log.emit("start_failed", error=f"{EVIDENCE}: {error.strerror}; is it owned by uid {os.getuid()}?")
        return 1
    try:
        policy.start()
        asyncio.run(_run(policy, started, early))
    except (RulesError, StartError) as error:
        log.emit("start_failed", error=str(error))
        return 1
    return 0


async def _run(policy: Policy, started: float, early: list[int]) -> None:
    # Imported here: `check` needs none of it.
    from OpenSSL import SSL

    from .proxy import layers
    from .proxy.addon import Egress
    from .proxy.certs import AgentSide
    from .proxy.certs import ServerSide
    from .proxy.front import Front
    from .proxy.limits import MAX_HEAD
    from .proxy.live import Live
    from .proxy.upstream import Upstream

    try:
        upstream = Upstream(os.environ.get("UPSTREAM_PROXY", ""))
    except ValueError as error:
        raise StartError(str(error)) from None
    try:
        addon = Egress(policy, AgentSide(CA), ServerSide(TRUST), live := Live())
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}; is it mounted, and owned by uid {os.getuid()}?") from None
    except (ValueError, TypeError, SSL.Error) as error:
        raise StartError(f"{CA} or {TRUST} is not as it should be: {type(error).__name__}") from None
    layers.install(lambda host: policy.rules.inspected(host))

    def reload() -> None:
        policy.reload()
        try:
            addon.server_side = ServerSide(TRUST)
        except (OSError, SSL.Error) as error:
            log.emit("trust_kept", error=type(error).__name__)

    loop = asyncio.get_running_loop()
    policy.on_change(live.check)
    loop.add_signal_handler(signal.SIGHUP, reload)
    if early:
        reload()
    for stop in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(stop, _stop)
    front = Front(policy, addon, upstream, live)
    server = await asyncio.start_server(front.accept, *LISTEN, limit=MAX_HEAD, backlog=512)
    # What is there now stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    log.emit("listening", address="%s:%d" % LISTEN, ms=round((time.monotonic() - started) * 1000))
    async with server:
        await server.serve_forever()


def _stop() -> None:
    """Ends at once, with whatever is open: nobody behind a bottle that goes down reads an answer."""
    log.emit("stopped")
    sys.stdout.flush()
    os._exit(0)
