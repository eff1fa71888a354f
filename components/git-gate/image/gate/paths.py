"""Where git-gate's files are. `GIT_GATE_ROOT` moves them all below another folder: for tests."""

import os
from _thread import get_ident

ROOT = os.environ.get("GIT_GATE_ROOT", "").rstrip("/")

CONFIG = f"{ROOT}/etc/git-gate/config"
CONFIG_FILE = f"{CONFIG}/gate.json"
TRUST = f"{ROOT}/etc/git-gate/trust/upstream.pem"
SECRETS = f"{ROOT}/run/secrets/git-gate"
MIRRORS = f"{ROOT}/srv/git"
EVIDENCE = f"{ROOT}/var/log/git-gate"
RUN = f"{ROOT}/run/git-gate"
CONTROL = f"{RUN}/control.sock"
STATUS = f"{RUN}/status.json"
UPSTREAMS = f"{ROOT}/upstreams"

# Part of the image; never moved.
PROGRAMS = "/opt/git-gate/bin"
HOOKS = "/opt/git-gate/hooks"


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Replaces a file at once: who reads it sees the old text or the new."""
    temporary = f"{path}.{os.getpid()}-{get_ident()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(temporary, path)
