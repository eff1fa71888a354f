"""The service's life: start, apply, evidence, end."""

import json
import os
import signal
import socket
import stat
import subprocess
import time

import pytest

from conftest import Project, git
from gate.events import EventLog, bounded


def status(gate) -> dict:
    return json.loads((gate.root / "run/git-gate/status.json").read_text())


def wait_for(condition, seconds=5):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def running(own_gate, template, tmp_path):
    projects = [Project(own_gate, name, tmp_path / name, template) for name in ("one", "two") if (tmp_path / name).mkdir() is None]
    own_gate.start()
    return own_gate, projects


def test_mirrors_are_there_before_anybody_asks(running):
    gate, projects = running
    wait_for(lambda: all(upstream["synced"] for upstream in status(gate)["upstreams"].values()))
    for project in projects:
        assert git(project.mirror, "rev-parse", "main") == project.base
    assert status(gate)["revision"] == "r1" and status(gate)["upstreams"]["one"]["error"] is None


def test_apply_takes_what_is_new_and_drops_what_is_gone(running, template, tmp_path):
    gate, (one, two) = running
    wait_for(lambda: two.mirror.exists())
    del gate.upstreams["two"]
    (tmp_path / "three").mkdir()
    three = Project(gate, "three", tmp_path / "three", template)
    gate.render("r2")
    result = gate.command("apply")
    assert result.returncode == 0 and json.loads(result.stdout) == {"revision": "r2"}, result.stderr
    assert not two.mirror.exists() and one.mirror.exists()
    assert status(gate)["revision"] == "r2" and set(status(gate)["upstreams"]) == {"one", "three"}
    wait_for(lambda: status(gate)["upstreams"]["three"]["synced"])
    assert git(three.mirror, "rev-parse", "main") == three.base
    assert not [name for name in os.listdir(gate.root / "srv/git") if name.startswith(".")]


def test_apply_refuses_what_is_wrong_and_keeps_all(running):
    gate, (one, two) = running
    wait_for(lambda: two.mirror.exists() and one.mirror.exists())
    (gate.root / "etc/git-gate/config/gate.json").write_text('{"revision": "r9"}')
    result = gate.command("apply")
    assert result.returncode == 1 and "is missing" in result.stderr and result.stdout == ""
    assert one.mirror.exists() and two.mirror.exists() and status(gate)["revision"] == "r1"


def test_apply_without_a_service(own_gate):
    result = own_gate.command("apply")
    assert result.returncode == 1 and "does not answer" in result.stderr


def test_an_upstream_that_is_away_does_not_hold_up_the_start(own_gate):
    own_gate.add("away", url="https://127.0.0.1:1/x", transport="https")
    own_gate.start()
    wait_for(lambda: status(own_gate)["upstreams"]["away"]["error"] is not None)
    assert status(own_gate)["upstreams"]["away"]["error"]["kind"] == "unreachable"
    assert own_gate.events("away", "sync-failed")[0]["kind"] == "unreachable"


def test_the_end_comes_at_once(running):
    gate, (one, _) = running
    held = socket.create_connection(("127.0.0.1", gate.port))
    started = time.monotonic()
    assert gate.stop() == 0
    assert time.monotonic() - started < 1
    held.close()


def test_an_end_right_after_the_start(own_gate):
    for _ in range(5):
        own_gate.start()
        assert own_gate.stop() == 0


def test_a_port_that_is_taken_ends_it(running, template):
    gate, _ = running
    result = subprocess.run(["/opt/git-gate/bin/git-gate", "serve"], env=gate.env, capture_output=True, text=True, timeout=10)
    assert result.returncode == 1 and "in use" in result.stderr


def test_a_configuration_that_is_wrong_ends_it(own_gate):
    (own_gate.root / "etc/git-gate/config/gate.json").write_text("{}")
    result = own_gate.command("serve")
    assert result.returncode == 1 and "git-gate: revision: is missing" in result.stderr


def test_what_a_killed_git_left_is_in_nobodys_way(running):
    gate, (one, _) = running
    wait_for(lambda: all(upstream["synced"] for upstream in status(gate)["upstreams"].values()))
    gate.process.send_signal(signal.SIGKILL)
    gate.process.wait()
    (one.mirror / "packed-refs.lock").write_text("")
    (one.mirror / "refs/heads").mkdir(exist_ok=True)
    (one.mirror / "refs/heads/main.lock").write_text("")
    (one.mirror / "objects/tmp_objdir-incoming-abc").mkdir()
    (one.mirror / "objects/pack/tmp_pack_x").write_text("")
    one.owner.commit(a="1\n")
    one.owner.git("push", "--quiet", "origin", "HEAD:main")
    gate.start()
    assert one.owner.git("rev-parse", "HEAD") in git(one.folder, "ls-remote", gate.url("one"))
    assert not list(one.mirror.glob("objects/tmp_*")) and not list(one.mirror.glob("objects/pack/tmp_*"))


def test_the_health_check(gate):
    script = open("/opt/git-gate/bin/healthcheck").read().replace("127.0.0.1/", f"127.0.0.1:{gate.port}/")
    started = time.monotonic()
    assert subprocess.run(["sh", "-c", script], env={"PATH": os.environ["PATH"]}).returncode == 0
    assert time.monotonic() - started < 0.5
    assert subprocess.run(["sh", "-c", script.replace(str(gate.port), "1")], env={"PATH": os.environ["PATH"]}, stderr=subprocess.DEVNULL).returncode != 0


def test_check_config(own_gate, tmp_path):
    path = own_gate.root / "etc/git-gate/config/gate.json"
    assert own_gate.command("check-config", str(path)).returncode == 0
    own_gate.top["gitleaks"] = "[extend]\nuseDefault = true\n"
    own_gate.render()
    assert own_gate.command("check-config", str(path)).returncode == 0
    for rules, words in (("nonsense", "toml"), ('[[rules]]\nid = "x"\nregex = "("\n', "regexp"), ("title = 'x'\n", "no rules")):
        own_gate.top["gitleaks"] = rules
        own_gate.render()
        result = own_gate.command("check-config", str(path))
        assert result.returncode == 1 and "git-gate: gitleaks: " in result.stderr and words in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) == 1
    own_gate.top["gitleaks"] = None
    own_gate.render()
    assert own_gate.command("check-config", str(tmp_path / "none")).returncode == 1
    assert own_gate.command("nonsense").returncode == 2


def test_evidence_is_private_and_rotated(tmp_path, capsys):
    path = tmp_path / "pushes.jsonl"
    log = EventLog(str(path), rotate_bytes=2000)
    for number in range(62):
        log.write("push", upstream="one", reason="x" * 200, number=number)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pushes.jsonl", "pushes.jsonl.1", "pushes.jsonl.2", "pushes.jsonl.3"]
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and file.stat().st_size < 2500
        for line in file.read_text().splitlines():
            assert json.loads(line)["upstream"] == "one"
    assert json.loads(path.read_text().splitlines()[-1] if path.read_text() else (tmp_path / "pushes.jsonl.1").read_text().splitlines()[-1])["number"] == 61
    assert capsys.readouterr().out.count("\n") == 62


def test_life_is_told_on_stdout_alone(tmp_path, capsys):
    EventLog(str(tmp_path / "x")).write("listening", port=1)
    assert '"event": "listening"' in capsys.readouterr().out and not (tmp_path / "x").exists()


def test_an_event_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "link").symlink_to("/dev/null")
    for path in (tmp_path / "none/x", tmp_path, tmp_path / "link"):
        with pytest.raises(OSError):
            EventLog(str(path)).write("push")


def test_what_agents_write_is_bounded():
    value = bounded({"a": "x" * 10_000, "b": ["y" * 600] * 500, "c": "\udcff\x1b", "d": 1})
    assert len(value["a"]) == 512 and len(value["b"]) == 100 and len(value["b"][0]) == 512
    json.dumps(value).encode()
