"""Pushes as an agent makes them: what the manifest allows, what the upstream says, and the evidence."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from conftest import AGENT, OTHER_SECRET, PUSH, SECRET, Project, git
from test_protocol import push_raw

ZERO = "0" * 40


def test_it_ends_well_only_when_the_upstream_has_it(project):
    value = project.work.commit(a="x\n")
    code, told = project.work.push("agent/x")
    assert code == 0, told
    assert project.refs()["refs/heads/agent/x"] == value
    assert git(project.mirror, "rev-parse", "agent/x") == value
    (event,) = project.events()
    assert event["outcome"] == "accepted" and event["commits"] == 1 and event["findings"] == []
    assert event["refs"] == [{"ref": "refs/heads/agent/x", "old": ZERO, "new": value}]
    (before,) = project.events("push-forwarding")
    assert before["refs"] == event["refs"] and before["time"] <= event["time"]


def test_a_secret_never_gets_there_and_leaves_nothing_behind(project):
    value = project.work.commit(a=f"{SECRET}\n")
    code, told = project.work.push("agent/x")
    assert code != 0 and f"git-gate:   github-pat: a:1, commit {value[:12]}" in told
    assert "refs/heads/agent/x" not in project.refs()
    for repository in (project.upstream, project.mirror):
        with pytest.raises(AssertionError):
            git(repository, "cat-file", "-e", value)
    (event,) = project.events()
    assert (event["outcome"], event["commits"], event["reason"]) == ("refused", 1, "1 secrets")
    assert event["findings"] == [{"rule": "github-pat", "file": "a", "line": 1, "commit": value}]
    assert SECRET not in (project.gate.root / "var/log/git-gate/pushes.jsonl").read_text()


def test_one_bad_ref_refuses_all(project):
    project.work.commit(a="x\n")
    project.work.git("branch", "agent/bad")
    project.work.git("checkout", "--quiet", "agent/bad")
    project.work.commit(b=f"{SECRET}\n")
    assert project.work.push("agent/x", "agent/bad")[0] != 0
    assert list(project.refs()) == ["refs/heads/main"]


def test_a_secret_in_a_ref_name_is_not_recorded(project):
    project.work.commit(a="x\n")
    assert project.work.push(f"agent/x:agent/{SECRET}")[0] != 0
    assert "refs/heads/agent/" + SECRET not in str(project.events()[-1]) and SECRET not in str(project.events())


def test_read_only(project):
    project.set(push=None)
    project.work.commit(a="x\n")
    code, told = project.work.push("agent/x")
    assert code != 0 and "is read-only here; a human can allow pushes with bottle:git.upstreams[0].push" in told
    assert project.events()[-1]["outcome"] == "refused"


@pytest.mark.parametrize("spec, words", [
    ("agent/x:main", "only agent/** may be pushed to"),
    ("agent/x:other", "bottle:git.upstreams[0].push.branches"),
    ("agent/x:refs/tags/w1", "only v* may be pushed"),
    ("agent/x:refs/tags/v/1", "bottle:git.upstreams[0].push.tags"),
    ("agent/x:refs/notes/x", "is neither a branch"),
    ("agent/x:refs/for/main", "is neither a branch"),
    (":main", "only agent/**"),
    ("readme-blob:refs/tags/v1", "does not lead to a commit"),
    ("readme-tree:refs/tags/v1", "does not lead to a commit"),
    ("blob-tag:refs/tags/v1", "does not lead to a commit"),
])  # fmt: skip
def test_refs_that_may_not_be_pushed(project, spec, words):
    project.work.commit(a="x\n")
    project.work.git("tag", "readme-blob", "HEAD:readme")
    project.work.git("tag", "readme-tree", "HEAD^{tree}")
    project.work.git("tag", "--annotate", "blob-tag", "-m", "x", "HEAD:readme")
    before = project.refs()
    code, told = project.work.push(spec)
    assert code != 0 and words in told and project.refs() == before, told
    assert project.events()[-1]["outcome"] == "refused"


def test_a_branch_is_a_commit_and_no_tag(project):
    project.work.commit(a="x\n")
    project.work.git("tag", "--annotate", "v1", "-m", "x")
    value = project.work.git("rev-parse", "v1")
    code, told = project.work.push(f"{value}:refs/heads/agent/t")
    assert code != 0 and "refs/heads/agent/t" not in project.refs(), told


def test_tags(project):
    first = project.work.commit(a="x\n")
    project.work.git("tag", "v1")
    project.work.git("tag", "--annotate", "v2", "-m", "x")
    code, told = project.work.push("v1", "v2")
    assert code == 0, told
    assert project.refs()["refs/tags/v1"] == first
    project.work.commit(a="y\n")
    code, told = project.work.push("+HEAD:refs/tags/v1")
    assert code != 0 and "tags may not be moved" in told and ".push.force" in told
    project.allow(force=True)
    code, told = project.work.push("+HEAD:refs/tags/v1")
    assert code == 0 and project.refs()["refs/tags/v1"] != first, told


def test_rewriting(project):
    project.work.commit(a="x\n")
    project.work.push("agent/x")
    project.work.git("commit", "--quiet", "--amend", "-m", "other")
    code, told = project.work.push("+agent/x")
    assert code != 0 and "not a fast-forward" in told and "bottle:git.upstreams[0].push.force" in told
    project.allow(force=True)
    code, told = project.work.push("+agent/x")
    assert code == 0 and project.refs()["refs/heads/agent/x"] == project.work.git("rev-parse", "HEAD"), told


def test_deleting(project):
    project.work.commit(a="x\n")
    project.work.push("agent/x")
    code, told = project.work.push(":agent/x")
    assert code != 0 and "bottle:git.upstreams[0].push.delete" in told
    project.allow(delete=True)
    code, told = project.work.push(":agent/x")
    assert code == 0 and "refs/heads/agent/x" not in project.refs(), told
    assert "agent/x" not in git(project.mirror, "for-each-ref")
    assert project.events()[-1]["commits"] == 0


def test_too_many_refs(project):
    project.work.commit(a="x\n")
    for number in range(21):
        project.work.git("branch", f"agent/n{number}")
    code, told = project.work.push(*(f"agent/n{number}" for number in range(21)))
    assert code != 0 and "21 refs in one push, and 20 are the most" in told and "bottle:git.limits.refs" in told
    assert project.work.push(*(f"agent/n{number}" for number in range(3)))[0] == 0


def test_a_file_that_is_too_large(project):
    project.gate.top["limits"]["file_bytes"] = 100_000
    project.gate.render()
    project.work.commit(a="x" * 100_001)
    project.work.commit(a="small\n")
    code, told = project.work.push("agent/x")
    assert code != 0 and "100001 bytes" in told and "bottle:git.limits.file" in told
    assert project.events()[-1]["reason"].startswith("an object of 100001 bytes")


def late_event(project):
    """Of a push that no hook saw: written once the connection is over."""
    for _ in range(200):
        if project.events():
            return project.events()[0]
        time.sleep(0.01)
    pytest.fail("there is no event")


def test_a_pack_that_is_too_large_is_an_event_as_well(project):
    project.gate.top["limits"]["pack_bytes"] = 2000
    project.gate.render()
    project.work.write("a", b"".join(bytes([n * 7 % 256, n % 251]) for n in range(20_000)))
    project.work.commit()
    code, told = project.work.push("agent/x")
    assert code != 0 and "exceeds maximum allowed size" in told
    event = late_event(project)
    assert event["outcome"] == "refused" and "exceeds maximum allowed size" in event["reason"]


def test_a_malformed_object_is_refused(project):
    tree = project.work.git("rev-parse", "HEAD^{tree}")
    text = f"tree {tree}\nauthor a <a@b> 1 +0000\ncommitter nobody\n\nx\n"
    value = project.work.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", data=text.encode())
    assert project.work.push(f"{value}:refs/heads/agent/y")[0] != 0
    event = late_event(project)
    assert event["outcome"] == "refused" and "git:" in event["reason"]


def test_a_check_that_is_killed_is_an_event_as_well(project):
    """As by the kernel, where memory runs out."""
    project.work.commit(a="some words\n" * 400_000)
    done = threading.Event()

    def kill():
        while not list((project.gate.root / "run/git-gate").glob("push-*.seen")) and not done.is_set():
            time.sleep(0.001)
        while not done.wait(0.001):
            for folder in Path("/proc").glob("[0-9]*"):
                if b"hook.py\0pre_receive" in _command(folder):
                    os.kill(int(folder.name), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    code, _ = project.work.push("agent/x")
    done.set()
    assert code != 0 and "refs/heads/agent/x" not in project.refs()
    event = late_event(project)
    assert (event["outcome"], event["reason"]) == ("failed", "the checks or the push were cut short")


def _command(folder):
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""


def test_listing_without_pushing_is_no_event(project):
    assert project.work.push("main")[0] == 0
    argv = ["git", "push", "--dry-run", "origin", "HEAD:agent/y"]
    subprocess.run(argv, cwd=project.work.folder, env=AGENT, check=True, capture_output=True)
    assert project.events() == []


def test_the_upstreams_words_are_passed_on_once_and_whole(project):
    project.hook("pre-receive", 'echo "  checking your push"; echo "error: no, because of *reasons*" >&2; exit 1')
    project.work.commit(a="x\n")
    code, told = project.work.push("agent/x")
    lines = [line.rstrip() for line in told.splitlines()]
    assert code != 0
    assert "remote:   checking your push" in lines and "remote: error: no, because of *reasons*" in lines, told
    assert "remote: remote:" not in told
    assert "[remote rejected] agent/x -> agent/x (pre-receive hook declined)" in told
    assert project.events()[-1]["outcome"] == "failed" and project.events()[-1]["reason"] == "pre-receive hook declined"
    assert "agent/x" not in git(project.mirror, "for-each-ref")


def test_one_ref_that_the_upstream_refuses_refuses_all(project):
    project.hook("update", '[ "$1" != refs/heads/agent/no ]')
    project.work.commit(a="x\n")
    code, told = project.work.push("agent/x", "agent/x:agent/no")
    assert code != 0 and "hook declined" in told
    assert list(project.refs()) == ["refs/heads/main"]


def test_words_of_an_upstream_that_accepts(project):
    project.hook("post-receive", "echo 'Create a pull request: https://git.example.com/x'")
    project.work.commit(a="x\n")
    code, told = project.work.push("agent/x")
    assert code == 0 and told.count("Create a pull request") == 1


def advance(project, branch="agent/x"):
    project.owner.git("fetch", "--quiet", "origin")
    project.owner.git("checkout", "--quiet", "-B", "theirs", f"origin/{branch}")
    project.owner.commit(theirs="x\n")
    project.owner.git("push", "--quiet", "origin", f"HEAD:{branch}")


def test_the_agent_sees_what_others_pushed_meanwhile(project):
    project.work.commit(a="x\n")
    project.work.push("agent/x")
    advance(project)
    project.work.commit(a="y\n")
    code, told = project.work.push("agent/x")
    assert code != 0 and "(fetch first)" in told
    project.work.git("pull", "--quiet", "--no-rebase", "--no-edit", "origin", "agent/x")
    assert project.work.push("agent/x")[0] == 0


def test_a_lie_about_the_state_that_was_seen(project):
    """As of one who lost a race."""
    project.allow(force=True, delete=True)
    first = project.work.commit(a="x\n")
    project.work.push("agent/x")
    advance(project)
    theirs = project.refs()["refs/heads/agent/x"]
    project.work.git("reset", "--quiet", "--hard", project.base)
    mine = project.work.commit(b="z\n")
    told = push_raw(project, [(first, mine, "refs/heads/agent/x")])
    assert b"ng refs/heads/agent/x" in told and project.refs()["refs/heads/agent/x"] == theirs


def test_the_mirror_is_right_after_an_upstream_was_rewound(project):
    project.work.commit(a="x\n")
    project.work.push("agent/x")
    project.owner.git("push", "--quiet", "origin", ":agent/x")
    assert "agent/x" not in project.work.git("ls-remote", "origin")
    code, told = project.work.push("agent/x")
    assert code == 0 and "new branch" in told


def test_a_broken_upstream_fails_with_the_reason(project):
    project.work.commit(a="x\n")
    project.upstream.rename(project.upstream.with_suffix(".away"))
    code, told = project.work.push("agent/x")
    assert code != 0 and "there is no git repository at file:///upstreams/" in told and "bottle:git.upstreams[0].url" in told


def test_pushes_and_fetches_at_once(project):
    works = [project.clone(f"w{number}") for number in range(3)]
    for number, work in enumerate(works):
        work.git("checkout", "--quiet", "-b", f"agent/b{number}")
    failures = []

    def push(work, number):
        for turn in range(2):
            work.commit(**{f"f{number}": f"{turn}\n"})
            code, told = work.push(f"agent/b{number}")
            failures.extend([told] if code else [])

    def fetch(folder):
        for _ in range(3):
            try:
                git(folder, "ls-remote", project.gate.url(project.name))
                git(folder, "clone", "--quiet", "--mirror", project.gate.url(project.name), f"c{_}")
            except AssertionError as error:
                failures.append(str(error))

    (project.folder / "clones").mkdir()
    threads = [threading.Thread(target=push, args=pair[::-1]) for pair in enumerate(works)]
    threads.append(threading.Thread(target=fetch, args=(project.folder / "clones",)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {name for name in project.refs() if "agent" in name} == {f"refs/heads/agent/b{number}" for number in range(3)}
    assert [event["outcome"] for event in project.events()] == ["accepted"] * 6


def test_without_evidence_there_is_no_push(own_gate, template, tmp_path):
    own_gate.start()
    project = Project(own_gate, "one", tmp_path, template)
    project.work.commit(a="x\n")
    log = own_gate.root / "var/log/git-gate/pushes.jsonl"
    log.unlink(missing_ok=True)
    log.mkdir()
    code, told = project.work.push("agent/x")
    assert code != 0 and "refs/heads/agent/x" not in project.refs(), told
    log.rmdir()
    assert project.work.push("agent/x")[0] == 0
    (own_gate.root / "run/git-gate/control.sock").unlink()
    project.work.commit(a="y\n")
    code, told = project.work.push("agent/x")
    assert code != 0 and "does not answer" in told


def test_a_rule_that_changes_during_a_push_is_the_one_that_counts(project):
    project.work.commit(a="x\n")
    assert project.work.push("agent/x")[0] == 0
    project.set(push=PUSH | {"branches": ["none/*"]})
    project.work.commit(a="y\n")
    assert project.work.push("agent/x")[0] != 0


def test_events_are_bounded_json(project):
    project.work.commit(**{"n" * 200: f"{OTHER_SECRET}\n"} | {f"f{n}": f"{SECRET}\n" for n in range(120)})
    project.work.push("agent/x")
    (event,) = project.events()
    assert len(event["findings"]) == 100 and len(json.dumps(event)) < 40_000
