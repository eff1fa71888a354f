import pytest

from gate.config import Limits, Push
from gate.push.rules import matches, refusals
from gate.push.told import findings_told
from gate.push.updates import Update
from gate.push.forward import verdicts
from gate.scan.gitleaks import Finding
from test_faults import upstream

ZERO, A, B = "0" * 40, "a" * 40, "b" * 40


@pytest.mark.parametrize("glob, name, right", [
    ("main", "main", True), ("main", "main2", False), ("main", "xmain", False), ("main", "main/x", False),
    ("agent/*", "agent/x", True), ("agent/*", "agent/x/y", False), ("agent/*", "agent/", True), ("agent/*", "agent", False),
    ("agent/**", "agent/x", True), ("agent/**", "agent/x/y", True), ("agent/**", "agent", False), ("agent/**", "agentx/y", False), ("agent/**", "x/agent/y", False),
    ("**", "a/b", True), ("*", "a/b", False), ("*", "a", True), ("**/fix", "a/b/fix", True), ("**/fix", "fix", False), ("a/**/z", "a/b/c/z", True), ("a/**/z", "a/z", False),
    ("v*", "v1.0", True), ("v*.0", "v1.0", True), ("v1.0", "v1x0", False), ("a+b", "aab", False), ("(x)", "(x)", True), ("main", "main\n", False), ("*", "a\nb", True),
])  # fmt: skip
def test_globs(glob, name, right):
    assert matches(glob, name) is right


def decide(updates, current=None, push=Push(("agent/**",), ("v*",), False, False), types=("commit", "commit"), ancestor=True, refs=5):
    limits = Limits(1, 1, refs, 1, 1)
    return refusals(upstream(push=push), limits, updates, current or {}, lambda _: types, lambda *_: ancestor)


def test_what_may_be_pushed():
    assert decide([Update(ZERO, A, "refs/heads/agent/x"), Update(ZERO, A, "refs/tags/v1")]) == {}
    assert decide([Update(A, B, "refs/heads/agent/x")], {"refs/heads/agent/x": A}) == {}


@pytest.mark.parametrize("update, options, words", [
    (Update(ZERO, A, "refs/heads/main"), {}, "only agent/** may be pushed to one; a human can allow it with bottle:git.upstreams[3].push.branches"),
    (Update(ZERO, A, "refs/tags/x"), {}, "bottle:git.upstreams[3].push.tags"),
    (Update(ZERO, A, "refs/tags/v1"), {"push": Push(("x",), (), True, True)}, "no tags may be pushed"),
    (Update(ZERO, A, "refs/heads/agent/x"), {"push": None}, "bottle:git.upstreams[3].push"),
    (Update(ZERO, A, "refs/heads/agent/x"), {"current": {"refs/heads/agent/x": B}}, "fetch first"),
    (Update(A, B, "refs/heads/agent/x"), {}, "fetch first"),
    (Update(A, ZERO, "refs/heads/agent/x"), {"current": {"refs/heads/agent/x": A}}, ".push.delete"),
    (Update(A, B, "refs/heads/agent/x"), {"current": {"refs/heads/agent/x": A}, "ancestor": False}, "not a fast-forward"),
    (Update(A, B, "refs/tags/v1"), {"current": {"refs/tags/v1": A}}, "tags may not be moved"),
    (Update(ZERO, A, "refs/tags/v1"), {"types": ("tag", "blob")}, "does not lead to a commit"),
    (Update(ZERO, A, "refs/tags/v1"), {"types": None}, "does not lead to a commit"),
    (Update(ZERO, A, "refs/heads/agent/x"), {"types": ("tag", "commit")}, "not a tag of one"),
    (Update(ZERO, A, "refs/heads/agent/x"), {"refs": 0}, "1 refs in one push"),
])  # fmt: skip
def test_what_may_not(update, options, words):
    found = decide([update], **options)
    assert words in found[update.ref]


def test_what_is_allowed_by_name():
    everything = Push(("agent/**",), ("v*",), True, True)
    current = {"refs/heads/agent/x": A, "refs/tags/v1": A}
    assert decide([Update(A, ZERO, "refs/heads/agent/x"), Update(A, B, "refs/tags/v1")], current, everything, ancestor=False) == {}


def test_one_ref_twice():
    assert decide([Update(ZERO, A, "refs/heads/agent/x"), Update(ZERO, B, "refs/heads/agent/x")]) != {}


PORCELAIN = """To ssh://git@h/x
*\taaaa:refs/heads/new\t[new branch]
 \taaaa:refs/heads/ff\t1..2
+\taaaa:refs/heads/forced\t1...2 (forced update)
-\t:refs/heads/gone\t[deleted]
=\taaaa:refs/heads/same\t[up to date]
!\taaaa:refs/heads/a\t[remote rejected] (protected branch hook declined)
!\taaaa:refs/heads/b\t[rejected] (fetch first)
!\taaaa:refs/heads/c\t[rejected] (stale info)
!\taaaa:refs/heads/d\t[remote rejected] (pre-receive hook declined (see \x1b docs))
!\taaaa:refs/heads/e\t[remote failure]
Done
"""


def test_verdicts():
    found = verdicts(PORCELAIN)
    assert {ref.rpartition("/")[2]: reason for ref, reason in found.items()} == {
        "new": None, "ff": None, "forced": None, "gone": None, "same": None, "a": "protected branch hook declined", "b": "fetch first", "c": "stale info",
        "d": "pre-receive hook declined (see   docs)", "e": "[remote failure]",
    }  # fmt: skip


def test_findings_are_told_without_control_characters():
    lines = findings_told([Finding("r", "", A, "a\x1b[2Jb\nc", 3)])
    assert lines[1] == f"  r: a [2Jb c:3, commit {A[:12]}"
