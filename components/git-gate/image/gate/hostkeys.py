"""Host keys that an upstream's host offers, as a line that a human can compare and copy."""

import base64
import hashlib

from . import gitenv
from .config import Upstream
from .run import run

_PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


def told(upstream: Upstream) -> str:
    """What is wrong and what to do about it."""
    host, key = upstream.address.host, f"{upstream.config_key}.knownHosts"
    offered = offered_key(upstream)
    if offered is None:
        return f"the host key of {host} is not known; add the line that its owner publishes to {key}"
    return (
        f"the host key of {host} is not known; if this is what its owner publishes, add it to {key}: "
        f'"{offered}" ({fingerprint(offered)})'
    )


def offered_key(upstream: Upstream) -> str | None:
    """`HOST TYPE KEY`, the best of what the host offers; None where it does not answer."""
    host, port = upstream.address
    argv = ["ssh-keyscan", "-T", "5", "-t", "ed25519,ecdsa,rsa", *(() if port is None else ("-p", str(port))), host]
    return best(run(argv, gitenv.plain(), timeout=7).out.decode("ascii", "replace"))


def best(text: str) -> str | None:
    """Of ssh-keyscan's output."""
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    lines = [words for words in lines if len(words) == 3 and words[1] in _PREFERRED]
    return " ".join(min(lines, key=lambda words: _PREFERRED.index(words[1]))) if lines else None


def fingerprint(line: str) -> str:
    """As ssh shows it."""
    digest = hashlib.sha256(base64.b64decode(line.split()[2])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
