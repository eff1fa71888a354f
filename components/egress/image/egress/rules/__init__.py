"""Rules engine: rules.yaml in, decisions out. Pure Python; nothing here knows the proxy under it."""

from .decide import CONNECT_OPEN
from .decide import CONNECT_REFUSE
from .decide import CONNECT_TUNNEL
from .decide import ConnectDecision
from .decide import Decision
from .decide import Facts
from .decide import decide_connect
from .decide import decide_request
from .model import Auth
from .model import Host
from .model import Route
from .model import Rules
from .model import RulesError
from .parse import parse_rules

__all__ = [
    "CONNECT_OPEN",
    "CONNECT_REFUSE",
    "CONNECT_TUNNEL",
    "Auth",
    "ConnectDecision",
    "Decision",
    "Facts",
    "Host",
    "Route",
    "Rules",
    "RulesError",
    "decide_connect",
    "decide_request",
    "parse_rules",
]
