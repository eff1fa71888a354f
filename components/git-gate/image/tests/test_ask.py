"""Where the bottle has supervise, what is refused says how to ask for it."""

import subprocess

import pytest

from conftest import AGENT, SECRET
from gate.ask import for_refs, for_upstream, told
from gate.config import Config
from gate.front import UNKNOWN_A_MINUTE
from test_faults import upstream

HOW = "to ask for it, call the tool "


def config(*upstreams, ask=True):
    return Config("r", upstreams, None, None, None, ask)


@pytest.mark.parametrize("url, there, path, asked", [
    ("git@git.example.com:org/app.git", "git.example.com/org/app", "git.example.com/org/lib", "git@git.example.com:org/lib.git"),
    ("ssh://me@git.example.com:2222/org/app", "git.example.com_2222/org/app", "git.example.com_2222/x", "ssh://me@git.example.com:2222/x.git"),
    ("https://git.example.com/org/app.git/", "git.example.com/org/app", "git.example.com/org/lib", "https://git.example.com/org/lib.git"),
    ("git@git.example.com:org/app.git", "git.example.com/org/app", "other.example.com/a/b", "https://other.example.com/a/b.git"),
    ("git@git.example.com:org/app.git", "git.example.com/org/app", "git.example.com_8443/a", "https://git.example.com:8443/a.git"),
])  # fmt: skip
def test_a_repository_is_asked_for_by_its_usual_address(url, there, path, asked):
    known = upstream()._replace(url=url, path=there)
    assert for_upstream(config(known), path) == {"tool": "request_git_upstream", "arguments": {"url": asked}}


def test_without_supervise_there_is_nobody_to_ask():
    assert for_upstream(config(ask=False), "a.example/b") is None
    assert for_refs(config(ask=False), upstream(), ["main"], []) is None


def test_what_the_agent_is_told():
    ask = for_refs(config(), upstream(), ["main"], [])
    assert told(ask) == (
        "to ask for it, call the tool request_git_branch of the MCP server `supervise` (http://supervise:8090/mcp) "
        'with {"upstream": "one", "branches": ["main"]} and why; a human decides, and wait_for_answer tells'
    )
    assert 'with {"upstream": "one"}, the branches and why' in told(for_refs(config(), upstream(), [], []))
    assert len(for_refs(config(), upstream(), [str(n) for n in range(50)], [])["arguments"]["branches"]) == 32


def fetch(gate, path):
    url = f"git://127.0.0.1:{gate.port}/{path}"
    return subprocess.run(["git", "ls-remote", url], env=AGENT, capture_output=True, text=True, timeout=30).stderr


def test_a_repository_that_is_not_there(own_gate):
    own_gate.start()
    path = "git.example.com/org/app"
    assert HOW not in fetch(own_gate, path) and "ask" not in own_gate.evidence()[-1]
    own_gate.top["ask"] = True
    own_gate.render()
    assert f'{HOW}request_git_upstream of the MCP server `supervise` (http://supervise:8090/mcp) with {{"url": "https://{path}.git"}} and why' in fetch(own_gate, path)
    event = own_gate.evidence()[-1]
    assert (event["event"], event["path"], event["push"], event["outcome"]) == ("refused", path, False, "refused")
    assert event["ask"] == {"tool": "request_git_upstream", "arguments": {"url": f"https://{path}.git"}}


def test_a_flood_of_them_does_not_fill_the_evidence(own_gate):
    own_gate.start()
    for number in range(UNKNOWN_A_MINUTE + 5):
        assert "is not among" in fetch(own_gate, f"git.example.com/{number}")
    assert len(own_gate.evidence()) == UNKNOWN_A_MINUTE


def test_names_that_may_not_be_pushed(project):
    project.ask()
    project.work.commit(a="x\n")
    code, said = project.work.push("agent/x", "agent/x:main", "agent/x:refs/tags/w1")
    ask = {"tool": "request_git_branch", "arguments": {"upstream": project.name, "branches": ["main"], "tags": ["w1"]}}
    assert code != 0 and f"git-gate: {told(ask)}" in said and said.count(HOW) == 1
    assert project.events()[-1]["ask"] == ask


def test_read_only(project):
    project.work.commit(a="x\n")
    project.set(push=None)
    project.ask()
    code, said = project.work.push("agent/x")
    assert code != 0 and f'{HOW}request_git_branch of the MCP server `supervise` (http://supervise:8090/mcp) with {{"upstream": "{project.name}"}}, the branches' in said
    assert project.events()[-1]["ask"] == {"tool": "request_git_branch", "arguments": {"upstream": project.name}}


def test_no_asking_for_what_no_answer_allows(project):
    """Secrets, deletes, rewrites."""
    project.ask()
    project.work.commit(a="x\n")
    assert project.work.push("agent/x")[0] == 0
    project.work.git("checkout", "--quiet", "-B", "agent/x", "origin/main")
    project.work.commit(b="y\n")
    project.work.git("branch", "agent/bad")
    for specs in (["+agent/x"], [":agent/x"], [":main"]):
        code, said = project.work.push(*specs)
        assert code != 0 and "git-gate: " in said and HOW not in said, said
        assert "ask" not in project.events()[-1]
    project.work.commit(c=f"{SECRET}\n")
    code, said = project.work.push("agent/x:agent/leak")
    assert code != 0 and "secrets were found" in said and HOW not in said
    assert "ask" not in project.events()[-1]
