"""What is in force: rules and tokens, their reload, and the status file that tells of it."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from . import log
from .rules import Rules
from .rules import RulesError
from .rules import parse_rules
from .tokens import Tokens
from .tokens import read_tokens


def load_rules(path: Path) -> Rules:
    """Reads a rules file. Raises RulesError, also where it cannot be read."""
    try:
        return parse_rules(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise RulesError(f"file: cannot be read: {reason}") from None


class Policy:
    """Rules and tokens in force. `rules` and `tokens` are replaced whole, never changed in place."""

    rules: Rules
    tokens: Tokens

    def __init__(self, rules_path: Path, tokens_path: Path, status_path: Path) -> None:
        self._rules_path = rules_path
        self._tokens_path = tokens_path
        self._status_path = status_path
        self._on_change: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls `listener` after each reload that put new rules in force."""
        self._on_change.append(listener)

    def start(self) -> None:
        """First load. Raises RulesError: without rules egress does not start."""
        self._load(load_rules(self._rules_path))

    def reload(self) -> None:
        """Reads rules and tokens again. Refused rules: the old ones stay, fresh tokens are used all the same."""
        error = None
        rules = self.rules
        try:
            rules = load_rules(self._rules_path)
        except RulesError as refused:
            error = str(refused)
        self._load(rules, error)
        if error is None:
            for listener in self._on_change:
                listener()

    def _load(self, rules: Rules, error: str | None = None) -> None:
        self.tokens = read_tokens(self._tokens_path, rules)
        self.rules = rules
        present = self.tokens.ids
        status = {
            "revision": rules.revision,
            "tokens_revision": self.tokens.revision,
            "tokens": present,
            "missing_tokens": sorted(rules.required_tokens.difference(present)),
            "error": error,
            "loaded_at": log.timestamp(time.time()),
        }
        log.emit("rules_refused" if error else "rules_loaded", **status)
        _write_whole(self._status_path, json.dumps(status) + "\n")


def _write_whole(path: Path, text: str) -> None:
    """Writes by temp + rename, so that a reader never sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        log.emit("status_not_written", path=str(path), error=error.strerror)
