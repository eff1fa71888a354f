"""Environments of git's processes. Nothing is inherited: what is not said here does not count."""

import os

from . import paths
from .config import Config, Upstream

ATTRIBUTES = "* diff !textconv !filter !merge !ident !working-tree-encoding\n"


def plain() -> dict[str, str]:
    """For git on a mirror: no network, no user's configuration."""
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": "none",
    }
    if paths.ROOT:
        env["GIT_GATE_ROOT"] = paths.ROOT
    return env


def to_upstream(upstream: Upstream) -> dict[str, str]:
    """For git that talks to an upstream: its transport alone, with its key or token."""
    env = plain() | {"GIT_ALLOW_PROTOCOL": upstream.transport}
    if upstream.transport == "ssh":
        env |= {"GIT_SSH_COMMAND": " ".join(ssh_command(upstream)), "GIT_SSH_VARIANT": "ssh"}
    if upstream.transport == "https":
        settings = {"http.sslCAInfo": paths.TRUST}
        if upstream.token is not None:
            settings |= {"credential.helper": f"{paths.PROGRAMS}/credential", "http.proactiveAuth": "basic"}
            env |= _token(upstream) | token_variable(upstream)
        env |= as_environment(settings)
    return env


def for_agent(upstream: Upstream, config: Config, push: bool) -> dict[str, str]:
    """For git that talks to the agent. `push`: receive-pack and its hooks, which talk to the upstream as well."""
    env = plain() | {"GIT_GATE_UPSTREAM": upstream.id}
    settings = {"core.hooksPath": "/dev/null"}
    if push:
        env |= token_variable(upstream)
        settings |= {
            "core.hooksPath": paths.HOOKS,
            "receive.fsckObjects": "true",
            "receive.maxInputSize": str(config.limits.pack_bytes),
            "receive.procReceiveRefs": "refs",
            "receive.shallowUpdate": "false",
            "receive.advertisePushOptions": "false",
        }
    return env | as_environment(settings)


def as_environment(settings: dict[str, str]) -> dict[str, str]:
    """git's configuration by environment."""
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for index, (key, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return env


def ssh_command(upstream: Upstream) -> list[str]:
    """Words that need no quoting."""
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "UserKnownHostsFile": known_hosts(upstream),
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "CheckHostIP": "no",
        "ForwardAgent": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "10",
        "ServerAliveCountMax": "3",
        "IdentityFile": "none" if upstream.key is None else f"{paths.SECRETS}/{upstream.key}",
    }
    return ["ssh", "-F", "none", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]


def known_hosts(upstream: Upstream) -> str:
    """The file of an upstream's host keys; written where it is not as gate.json has them."""
    path = f"{paths.RUN}/known_hosts/{upstream.id}"
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == upstream.known_hosts:
                return path
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    paths.write(path, upstream.known_hosts)
    return path


def _token(upstream: Upstream) -> dict[str, str]:
    return {
        "GIT_GATE_HOST": upstream.url.split("/")[2],
        "GIT_GATE_USERNAME": upstream.token.username,
        "GIT_GATE_TOKEN": upstream.token.id,
        "GIT_GATE_TOKEN_FILE": f"{paths.SECRETS}/{upstream.token.id}",
    }


def token_variable(upstream: Upstream) -> dict[str, str]:
    """The variable that holds the token where no file does; empty where there is none."""
    name = upstream.token.id if upstream.token is not None else ""
    return {name: os.environ[name]} if name in os.environ else {}


def token_value(upstream: Upstream) -> str | None:
    """None where there is none."""
    if upstream.token is None:
        return None
    try:
        with open(f"{paths.SECRETS}/{upstream.token.id}", encoding="utf-8", errors="surrogateescape") as file:
            return file.read().strip() or None
    except OSError:
        return os.environ.get(upstream.token.id, "").strip() or None


def masked(upstream: Upstream, text: str) -> str:
    """Without the token's value, whoever put it there."""
    value = token_value(upstream)
    return text if value is None else text.replace(value, "****")
