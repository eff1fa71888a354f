"""The decision about one request, and about one CONNECT. Pure functions of rules, facts and the clock."""

from dataclasses import dataclass

from .model import Auth
from .model import Route
from .model import Rules
from .paths import PathError
from .paths import canonical
from .query import query_matches

CONNECT_TUNNEL = "tunnel"
CONNECT_OPEN = "open"
CONNECT_REFUSE = "refuse"

# Never meant for an agent; a rule that lists no methods does not allow them.
_UNLISTED = frozenset(("CONNECT", "TRACE"))
# Which of several routes' refusals says most: the one that got furthest.
_STAGES = ("path_not_allowed", "query_not_allowed", "method_not_allowed", "websocket_not_allowed", "rule_expired")


@dataclass(frozen=True, slots=True)
class Facts:
    """One request, as egress understands it."""

    scheme: str
    host: str
    port: int
    method: str
    target: str
    """Path and query as sent."""
    websocket: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed, with what to do to the request; or refused, with a reason (and detail for the human)."""

    allowed: bool
    reason: str | None = None
    detail: str | None = None
    rule: str | None = None
    """Name of the route, or pattern of the host, that allowed it."""
    auth: Auth | None = None
    inspect: bool = False
    expires: float | None = None
    methods_held: bool = False
    """Whether the rule looks at the method: then nothing in the request may override it."""


@dataclass(frozen=True, slots=True)
class ConnectDecision:
    """What becomes of a CONNECT: tunnelled raw, opened, or refused (inside a TLS that egress ends itself)."""

    kind: str
    reason: str | None = None
    rule: str | None = None
    expires: float | None = None


def decide_connect(rules: Rules, host: str, port: int, now: float) -> ConnectDecision:
    """Decides a CONNECT to a normalised host. `now` in Unix seconds."""
    routes = rules.routes_for(host)
    if routes:
        if any(route.port == port for route in routes):
            return ConnectDecision(CONNECT_OPEN)
        return ConnectDecision(CONNECT_REFUSE, "port_not_allowed")
    hosts = rules.hosts_for(host)
    if not hosts:
        return ConnectDecision(CONNECT_REFUSE, "host_not_allowed")
    live = [entry for entry in hosts if entry.expires is None or entry.expires > now]
    if not live:
        return ConnectDecision(CONNECT_REFUSE, "rule_expired")
    if port == 80:  # plain HTTP by CONNECT, as some clients do it: read like any other plain request
        return ConnectDecision(CONNECT_OPEN)
    if port != 443:
        return ConnectDecision(CONNECT_REFUSE, "port_not_allowed")
    if any(entry.inspect for entry in live):
        # pipelock refuses compressed bodies, and only an opened request can be asked for plain ones.
        return ConnectDecision(CONNECT_OPEN)
    last = _latest(entry.expires for entry in live)
    return ConnectDecision(CONNECT_TUNNEL, rule=live[0].host, expires=last)


def decide_request(rules: Rules, facts: Facts, now: float) -> Decision:
    """Decides one opened or plain request. `now` in Unix seconds."""
    routes = rules.routes_for(facts.host)
    if not routes:
        return _by_host(rules, facts, now)
    candidates = [r for r in routes if r.scheme == facts.scheme and r.port == facts.port]
    if not candidates:
        same_scheme = any(route.scheme == facts.scheme for route in routes)
        return Decision(False, "port_not_allowed" if same_scheme else "scheme_not_allowed")
    path, _, query = facts.target.partition("?")
    try:
        forms = canonical(path, strict=any(route.paths is not None for route in candidates))
    except PathError as error:
        return Decision(False, "path_not_canonical", f"the path {error}")
    furthest = -1
    for route in candidates:
        failed = _failed_stage(route, facts, forms, query, now)
        if failed is None:
            return Decision(
                True,
                rule=route.name,
                auth=route.auth,
                inspect=route.inspect,
                expires=route.expires,
                methods_held=route.methods is not None,
            )
        furthest = max(furthest, failed)
    return Decision(False, _STAGES[furthest])


def _failed_stage(route: Route, facts: Facts, forms: tuple[str, ...], query: str, now: float) -> int | None:
    if route.paths is not None and not all(any(glob.matches(form) for glob in route.paths) for form in forms):
        return 0
    if not query_matches(query, route.query):
        return 1
    if facts.method.upper() in _UNLISTED if route.methods is None else facts.method not in route.methods:
        return 2
    if facts.websocket and not route.websocket:
        return 3
    if route.expires is not None and route.expires <= now:
        return 4
    return None


def _by_host(rules: Rules, facts: Facts, now: float) -> Decision:
    hosts = rules.hosts_for(facts.host)
    if not hosts:
        return Decision(False, "host_not_allowed")
    live = [entry for entry in hosts if entry.expires is None or entry.expires > now]
    if not live:
        return Decision(False, "rule_expired")
    if (facts.scheme, facts.port) not in (("https", 443), ("http", 80)):
        return Decision(False, "port_not_allowed")
    if facts.method.upper() in _UNLISTED:
        return Decision(False, "method_not_allowed")
    if facts.websocket:
        return Decision(False, "websocket_not_allowed")
    try:
        canonical(facts.target.partition("?")[0], strict=False)
    except PathError as error:
        return Decision(False, "path_not_canonical", f"the path {error}")
    return Decision(
        True,
        rule=live[0].host,
        inspect=any(entry.inspect for entry in live),
        expires=_latest(entry.expires for entry in live),
    )


def _latest(times) -> float | None:
    """The latest of several expiry times; None (never) is later than all."""
    known = list(times)
    return None if None in known else max(known)
