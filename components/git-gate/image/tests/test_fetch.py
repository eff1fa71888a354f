"""Fetches: always the upstream's state, or a reason."""

import os
import threading
import time

import pytest

from conftest import Project, git
from gate.config import load
from gate.faults import Fault
from gate.sync import Syncs, _Turns


def listing(project):
    lines = git(project.folder, "ls-remote", project.gate.url(project.name)).splitlines()
    return {name: value for value, name in (line.split("\t") for line in lines)}


def failure(project) -> str:
    with pytest.raises(AssertionError) as caught:
        listing(project)
    return str(caught.value)


def publish(project, ref="main", **files):
    value = project.owner.commit(**files)
    project.owner.git("push", "--quiet", "--force", "origin", f"HEAD:{ref}")
    return value


def test_every_fetch_has_the_upstreams_state(project):
    assert listing(project) == {"HEAD": project.base, "refs/heads/main": project.base}
    first = publish(project, a="1\n")
    assert listing(project)["refs/heads/main"] == first
    other = publish(project, "other", a="2\n")
    project.owner.git("tag", "--annotate", "t1", "-m", "x")
    project.owner.git("push", "--quiet", "origin", "t1")
    seen = listing(project)
    assert seen["refs/heads/other"] == other and seen["refs/tags/t1^{}"] == other
    project.owner.git("push", "--quiet", "origin", ":other", ":t1")
    assert set(listing(project)) == {"HEAD", "refs/heads/main"}
    project.owner.git("reset", "--quiet", "--hard", project.base)
    rewound = publish(project, b="3\n")
    assert listing(project)["refs/heads/main"] == rewound


def test_a_moved_tag_and_a_branch_in_place_of_a_folder_of_branches(project):
    project.owner.git("tag", "t")
    project.owner.git("push", "--quiet", "origin", "t", "HEAD:a/b")
    assert "refs/heads/a/b" in listing(project)
    project.owner.git("push", "--quiet", "origin", ":a/b")
    moved = publish(project, "a", x="1\n")
    project.owner.git("tag", "--force", "t")
    project.owner.git("push", "--quiet", "--force", "origin", "t")
    seen = listing(project)
    assert seen["refs/heads/a"] == moved and seen["refs/tags/t"] == moved and "refs/heads/a/b" not in seen


def test_only_branches_and_tags_are_mirrored(project):
    project.owner.git("push", "--quiet", "origin", "HEAD:refs/pull/1/head", "HEAD:refs/notes/x")
    assert set(listing(project)) == {"HEAD", "refs/heads/main"}


def test_head_follows(project):
    publish(project, "trunk", a="1\n")
    git(project.upstream, "symbolic-ref", "HEAD", "refs/heads/trunk")
    assert "ref: refs/heads/trunk\tHEAD" in git(project.folder, "ls-remote", "--symref", project.gate.url(project.name))
    assert project.clone("c").git("branch", "--show-current") == "trunk"


def test_an_empty_upstream(project):
    git(project.upstream, "update-ref", "-d", "refs/heads/main")
    assert listing(project) == {}
    value = publish(project, a="1\n")
    assert listing(project)["refs/heads/main"] == value


def test_shallow_clones_and_old_protocols(project):
    publish(project, a="1\n")
    url = project.gate.url(project.name)
    git(project.folder, "clone", "--quiet", "--depth=1", url, "shallow")
    for version in (0, 1, 2):
        git(project.folder, "-c", f"protocol.version={version}", "clone", "--quiet", url, f"v{version}")
    assert git(project.folder / "shallow", "rev-list", "--count", "HEAD") == "1"


def test_with_and_without_its_ending(project):
    url = project.gate.url(project.name)
    for form in (url, f"{url}.git", f"{url}/", f"{url}.git/"):
        assert project.base in git(project.folder, "ls-remote", form)


def test_an_upstream_that_is_gone(project):
    listing(project)
    project.upstream.rename(project.upstream.with_suffix(".away"))
    told = failure(project)
    assert f"remote error: git-gate: {project.name}: there is no git repository" in told and "bottle:git.upstreams[0].url" in told
    (event,) = project.events("sync-failed")
    assert event["kind"] == "not-found"
    # Told once, however often the agent asks.
    failure(project)
    assert len(project.events("sync-failed")) == 1


def away(project, **changes):
    """Its host refuses connections from now on."""
    project.set(url="https://127.0.0.1:1/x", transport="https", **changes)


def test_stale_is_served_only_where_it_may_be(project):
    project.set(serve_stale=True)
    project.work.commit(a="x\n")
    # The mirror is that of this URL; only then is it the upstream's last state.
    url = project.mirror / "git-gate-url"
    away(project, serve_stale=False)
    url.write_text("https://127.0.0.1:1/x")
    told = failure(project)
    assert "127.0.0.1 cannot be reached" in told and "serveStale" in told
    away(project, serve_stale=True)
    assert listing(project)["refs/heads/main"] == project.base
    code, told = project.work.push("agent/x")
    assert code != 0 and "cannot be reached" in told


def test_stale_is_not_served_of_what_was_never_there(project):
    away(project, serve_stale=True)
    assert "cannot be reached" in failure(project)


def test_another_url_begins_anew(project):
    project.work.commit(a="x\n")
    project.work.push("agent/x")
    away(project)
    failure(project)
    assert "agent/x" in git(project.mirror, "for-each-ref")
    project.set(url=f"file:///upstreams/{project.name}", transport="file")
    listing(project)
    (project.mirror / "git-gate-url").write_text("https://elsewhere")
    junk = project.mirror / "junk"
    junk.write_text("x")
    assert "refs/heads/agent/x" in listing(project) and not junk.exists()


def test_a_mirror_that_was_half_made_is_made_again(project):
    project.mirror.mkdir(parents=True)
    (project.mirror / "HEAD").write_text("nonsense")
    assert listing(project)["refs/heads/main"] == project.base


def test_a_broken_mirror_is_made_again(project):
    listing(project)
    (project.mirror / "HEAD").unlink()
    assert listing(project)["refs/heads/main"] == project.base


def test_a_file_upstreams_own_git_gets_nothing_of_ours(project):
    """Its hooks are its own, and it sees neither our configuration nor tokens."""
    project.hook("pre-receive", 'env | grep -c "^GIT_CONFIG_KEY\\|A_TOKEN\\|GIT_TRACE" >&2; exit 1')
    project.work.commit(a="x\n")
    _, told = project.work.push("agent/x")
    assert "remote: 0" in told, told


def test_requests_at_once_share_a_sync_that_began_after_them():
    runs, entered, go = [], threading.Event(), threading.Event()

    def job():
        runs.append(time.monotonic())
        entered.set()
        go.wait(5)
        return Fault("other", str(len(runs)))

    turns, results = _Turns(), []
    threads = [threading.Thread(target=lambda: results.append(str(turns.take(job))))]
    threads[0].start()
    entered.wait(5)
    for _ in range(5):
        threads.append(threading.Thread(target=lambda: results.append(str(turns.take(job)))))
        threads[-1].start()
    time.sleep(0.1)
    go.set()
    for thread in threads:
        thread.join(5)
    assert sorted(results) == ["1", "2", "2", "2", "2", "2"] and len(runs) == 2


def test_a_job_that_raises_holds_nobody_up():
    turns = _Turns()

    def fails():
        raise RuntimeError("x")

    with pytest.raises(RuntimeError):
        turns.take(fails)
    assert turns.take(lambda: None) is None


def test_one_fault_is_told_once_and_its_end_as_well(monkeypatch, project):
    from gate import sync

    told, changes = [], []
    faults = [Fault("unreachable", "x"), Fault("unreachable", "x"), None, Fault("unreachable", "x")]

    def fake(upstream):
        fault = faults.pop(0)
        if fault is not None:
            raise fault

    monkeypatch.setattr(sync, "sync", fake)
    upstream = next(u for u in load(str(project.gate.root / "etc/git-gate/config/gate.json")).upstreams if u.id == project.name)
    syncs = Syncs(lambda _, fault: told.append(str(fault)), lambda: changes.append(1))
    assert [str(syncs.sync(upstream)) for _ in range(4)] == ["x", "x", "None", "x"]
    assert told == ["x", "x"] and syncs.states[project.name][0] is not None


def test_the_mirror_is_small_and_private(project):
    listing(project)
    config = (project.mirror / "config").read_text()
    assert "url" not in config and "hook" not in config
    assert not (project.mirror / "hooks").exists()
    assert os.path.exists(project.mirror / "git-daemon-export-ok")


def test_a_gate_without_configuration_serves_nothing(own_gate, template, tmp_path):
    project = Project(own_gate, "one", tmp_path, template)
    own_gate.start()
    listing(project)
    (own_gate.root / "etc/git-gate/config/gate.json").write_text("{")
    assert "its configuration cannot be read" in failure(project)
    own_gate.render()
    listing(project)
