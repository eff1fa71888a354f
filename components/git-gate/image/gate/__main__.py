"""`git-gate [serve | check-config FILE | apply | check [ID…]]`."""

import json
import os
import sys

USAGE = "usage: git-gate [serve | check-config FILE | apply | check [ID...]]"


def main(arguments: list[str]) -> int:
    """Returns the exit status; what failed is told on stderr."""
    from .control import ControlError
    from .mirror import GitError
    from .node import ConfigError

    try:
        return _run(arguments)
    except (ConfigError, ControlError, GitError, OSError) as error:
        print(f"git-gate: {error}", file=sys.stderr)
        return 1


def _run(arguments: list[str]) -> int:
    match arguments:
        case [] | ["serve"]:
            from .serve import Service

            status = Service().run()
            sys.stdout.flush()
            # Threads of connections must not hold up the end.
            os._exit(status)
        case ["check-config", path]:
            from .config import load
            from .scan.gitleaks import check_rules

            config = load(path)
            check_rules(config.gitleaks)
            print(f"ok: {len(config.upstreams)} upstreams")
        case ["apply"]:
            from .control import ask

            print(json.dumps(ask(timeout=50, do="apply")))
        case ["check", *ids]:
            from .check import check
            from .config import load

            print(json.dumps(check(load(), ids)))
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    return 0
