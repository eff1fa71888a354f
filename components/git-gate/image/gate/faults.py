"""What went wrong between git-gate and an upstream, told in a line with its mend."""

import re

from . import gitenv, hostkeys
from .config import Upstream
from .run import Result

# The first that fits wins. LC_ALL=C: git, ssh and curl speak English.
_SIGNS = (
    ("changed-host-key", r"REMOTE HOST IDENTIFICATION HAS CHANGED"),
    ("unknown-host-key", r"Host key verification failed|host key is known for .* strict checking"),
    ("untrusted-certificate", r"SSL certificate|certificate verif|certificate problem|SSL: no alternative certificate"
     r"|error setting certificate|CAfile|the certificate"),
    ("moved", r"returned error: 30[1278]\b|unable to update url base from redirection"),
    ("denied", r"Permission denied|Authentication failed|returned error: 40[13]\b|could not read (?:Username|Password)"
     r"|terminal prompts disabled|Load key|credential helper .* told us to quit"),
    ("not-found", r"[Rr]epository .*not found|not found$|does not appear to be a git repository|returned error: 404\b"
     r"|does not exist|[Nn]o such (?:repository|project)|not have permission to view|could not be found"),
    ("unreachable", r"Could not resolve host|Temporary failure in name resolution|Name or service not known"
     r"|Connection (?:refused|timed out|reset|closed)|No route to host|Network is unreachable|[Oo]peration timed out"
     r"|Failed to connect|Couldn't connect|Could not connect|Operation too slow|returned error: 5\d\d\b"
     r"|gnutls_handshake\(\) failed|GnuTLS recv error|kex_exchange_identification|the remote end hung up unexpectedly"
     r"|early EOF|Empty reply|unexpected eof"),
)
_SIGNS = tuple((kind, re.compile(pattern, re.MULTILINE)) for kind, pattern in _SIGNS)
# Lines of git that say nothing of their own.
_EMPTY = re.compile(
    r"Could not read from remote|Please make sure you have|and the repository exists|^\s*$|^@+$|^warning:"
)


class Fault(Exception):
    """`kind`: one word for programs. `str()`: one line for people."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def kind_of(stderr: str) -> str:
    """Which fault git's, ssh's or curl's words tell of."""
    return next((kind for kind, sign in _SIGNS if sign.search(stderr)), "other")


def fault_of(upstream: Upstream, result: Result) -> Fault:
    """Of a git that failed to talk to an upstream."""
    kind = "unreachable" if result.timed_out else kind_of(result.err)
    return Fault(kind, one_line(gitenv.masked(upstream, f"{upstream.id}: {_told(kind, upstream, result)}")))


def _told(kind: str, upstream: Upstream, result: Result) -> str:
    host, key = upstream.address.host, upstream.config_key
    words = "no answer in time" if result.timed_out else own_words(result.err)
    match kind:
        case "unknown-host-key":
            return hostkeys.told(upstream)
        case "changed-host-key":
            return (
                f"the host key of {host} is not the one in {key}.knownHosts: the host has a new one, or something "
                f"else answers in its place; ask its owner, then correct {key}.knownHosts"
            )
        case "denied" if upstream.transport == "ssh":
            return f"{host} does not let git-gate in ({words}); see that {key}.identityFile is a key it knows"
        case "denied":
            return f"{host} does not let git-gate in ({words}); see that {key}.token is right and may do this"
        case "not-found" if upstream.transport == "file":
            return f"there is no git repository at {upstream.url} ({words}); see {key}.url"
        case "not-found":
            return f"{host} has no such repository, or hides it from this login ({words}); see {key}.url and its login"
        case "untrusted-certificate":
            return f"the certificate of {host} is not trusted ({words}); add its CA to the machine's or to bottle:trust"
        case "moved":
            return f"{host} redirects to another address, which git-gate does not follow ({words}); correct {key}.url"
        case "unreachable":
            where = host or upstream.url
            return f"{where} cannot be reached ({words}); try again, or have it served stale with {key}.serveStale"
        case _:
            return f"git failed: {words}"


def own_words(stderr: str) -> str:
    """The line of stderr that says most."""
    lines = [line.strip() for line in stderr.splitlines() if not _EMPTY.search(line)]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))]
    line = (fatal or lines or ["it gave no reason"])[0]
    return re.sub(r"^(?:(?:fatal|error|ERROR|remote): *)+", "", line)[:300]


def one_line(text: str) -> str:
    """Printable, on one line, and no longer than git's clients show."""
    return "".join(char if char.isprintable() else " " for char in text)[:900]
