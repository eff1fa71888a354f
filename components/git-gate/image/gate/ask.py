"""How the agent asks for what is refused, where its bottle has supervise: an MCP tool, and its arguments but for the reason."""

import json

from .config import Config, Upstream

# As supervise takes them in one request.
_MOST = 32


def for_upstream(config: Config, path: str) -> dict | None:
    """The tool that asks for a repository. None where nobody can be asked."""
    if not config.ask:
        return None
    return {"tool": "request_git_upstream", "arguments": {"url": _url(config, path)}}


def for_refs(config: Config, upstream: Upstream, branches: list[str], tags: list[str]) -> dict | None:
    """The tool that asks to push; without names, they are for the agent to add. None where nobody can be asked."""
    if not config.ask:
        return None
    names = {"branches": branches[:_MOST], "tags": tags[:_MOST]}
    arguments = {"upstream": upstream.id} | {kind: some for kind, some in names.items() if some}
    return {"tool": "request_git_branch", "arguments": arguments}


def told(ask: dict) -> str:
    """A sentence for the terminal."""
    arguments = ask["arguments"]
    missing = ", the branches" if list(arguments) == ["upstream"] else ""
    return (
        f"to ask for it, call the tool {ask['tool']} of the MCP server `supervise` (http://supervise:8090/mcp) "
        f"with {json.dumps(arguments, ensure_ascii=False)}{missing} and why; a human decides, and wait_for_answer tells"
    )


def _url(config: Config, path: str) -> str:
    """Its usual address, in the form of another upstream of that host: git-gate is told no more than the path."""
    server, _, repository = path.partition("/")
    for upstream in config.upstreams:
        there, _, known = upstream.path.partition("/")
        at = upstream.url.rfind(known)
        if upstream.transport != "file" and there == server and at > 0:
            return f"{upstream.url[:at]}{repository}.git"
    host, _, port = server.partition("_")
    return f"https://{host}{':' * bool(port)}{port}/{repository}.git"
