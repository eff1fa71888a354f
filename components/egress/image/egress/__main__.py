"""`egress`: serves. `egress check FILE`: validates a rules file, exit status 1 with the reason on stderr."""

import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    match arguments:
        case ["check", path]:
            from .policy import load_rules
            from .rules import RulesError

            try:
                rules = load_rules(Path(path))
            except RulesError as error:
                print(f"{path}: {error}", file=sys.stderr)
                return 1
            print(f"ok: {len(rules.hosts)} hosts, {len(rules.routes)} routes")
            return 0
        case [] | ["serve"]:
            from .serve import serve

            return serve()
        case _:
            print("usage: egress [serve | check FILE]", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
