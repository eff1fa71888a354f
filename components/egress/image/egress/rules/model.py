"""What a rules file says, once validated."""

from dataclasses import dataclass
from dataclasses import field

from .globs import PathGlob
from .globs import TextGlob
from .hosts import HostIndex


class RulesError(ValueError):
    """A rules file that is refused. The text names the key path and the problem, never a value of a token."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Credential put on by egress: `header: [Bearer |Basic ]<token>`."""

    token: str
    """Id of the token: the name of its file under /run/tokens."""
    header: str
    scheme: str
    """raw | bearer | basic"""
    username: str | None
    optional: bool


@dataclass(frozen=True, slots=True)
class Host:
    """A host allowed as a whole."""

    host: str
    inspect: bool
    expires: float | None
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Route:
    """A host held to scheme, port, methods, paths and query."""

    name: str
    host: str
    scheme: str
    port: int
    methods: frozenset[str] | None
    paths: tuple[PathGlob, ...] | None
    query: tuple[tuple[str, TextGlob], ...]
    websocket: bool
    inspect: bool
    auth: Auth | None
    expires: float | None


@dataclass(slots=True)
class Rules:
    """A whole rules file."""

    revision: str
    strip_headers: frozenset[str]
    hosts: tuple[Host, ...]
    routes: tuple[Route, ...]
    _hosts: HostIndex[Host] = field(init=False, repr=False)
    _routes: HostIndex[Route] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._hosts = HostIndex((entry.host, entry) for entry in self.hosts)
        self._routes = HostIndex((entry.host, entry) for entry in self.routes)

    def routes_for(self, host: str) -> list[Route]:
        """All routes whose pattern covers the host, in the file's order."""
        return self._routes.lookup(host)

    def hosts_for(self, host: str) -> list[Host]:
        """All `hosts` entries whose pattern covers the host, in the file's order."""
        return self._hosts.lookup(host)

    def inspected(self, host: str) -> bool:
        """Whether pipelock reads what goes to the host; one answer a host, as pipelock decides by host."""
        return any(entry.inspect for entry in self.routes_for(host) or self.hosts_for(host))

    @property
    def required_tokens(self) -> set[str]:
        """Ids of tokens without which a route answers 503."""
        return {route.auth.token for route in self.routes if route.auth and not route.auth.optional}

    @property
    def all_tokens(self) -> set[str]:
        """Ids of all tokens that a route names."""
        return {route.auth.token for route in self.routes if route.auth}
