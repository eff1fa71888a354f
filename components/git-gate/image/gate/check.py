"""`git-gate check`: asks each upstream whether it lets git-gate in."""

import threading

from .config import Config, Upstream
from .faults import Fault
from .sync import list_upstream

TIMEOUT = 12


def check(config: Config, ids: list[str]) -> list[dict]:
    """`id`, `ok`, `kind` and `message` of each upstream, or of those named. All at once; at most 20 s."""
    chosen = [upstream for upstream in config.upstreams if not ids or upstream.id in ids]
    answers: list[dict] = [{}] * len(chosen)

    def ask(index: int, upstream: Upstream) -> None:
        try:
            list_upstream(upstream, TIMEOUT)
            answers[index] = {"id": upstream.id, "ok": True, "kind": None, "message": None}
        except Fault as fault:
            answers[index] = {"id": upstream.id, "ok": False, "kind": fault.kind, "message": str(fault)}

    threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(chosen)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
