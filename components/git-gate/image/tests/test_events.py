"""The chain of the evidence log."""

import hashlib
import json
import os

from gate.events import START, EventLog


def chain(*paths):
    """(lines, whether each has the hash of the one before it) of files, oldest first."""
    lines = [line for path in paths for line in path.read_bytes().split(b"\n")[:-1]]
    expected = [START, *(hashlib.sha256(line).hexdigest() for line in lines)]
    return lines, [json.loads(line).get("prev") == before for line, before in zip(lines, expected)]


def test_each_line_has_the_hash_of_the_one_before_it(tmp_path):
    file = tmp_path / "pushes.jsonl"
    log = EventLog(str(file))
    for number in range(3):
        log.write("push", number=number, text="ä…")
    log.write("applied", revision="not evidence")
    lines, fits = chain(file)
    assert len(lines) == 3 and all(fits)


def test_the_chain_runs_on_over_rotations(tmp_path):
    file = tmp_path / "pushes.jsonl"
    log = EventLog(str(file), rotate_bytes=300)
    for number in range(4):
        log.write("push", number=number)
    rotated = sorted(tmp_path.glob("pushes.jsonl.*"), reverse=True)
    assert rotated
    lines, fits = chain(*rotated, *([file] if file.exists() else []))
    assert len(lines) == 4 and all(fits)


def test_a_restart_takes_the_chain_up(tmp_path):
    file = tmp_path / "pushes.jsonl"
    EventLog(str(file)).write("push", number=1)
    EventLog(str(file)).write("push", number=2)
    assert all(chain(file)[1])
    os.rename(file, f"{file}.1")
    EventLog(str(file)).write("push", number=3)
    lines, fits = chain(tmp_path / "pushes.jsonl.1", file)
    assert len(lines) == 3 and all(fits)


def test_a_torn_line_stays_and_is_chained(tmp_path):
    file = tmp_path / "pushes.jsonl"
    EventLog(str(file)).write("push", number=1)
    with file.open("ab") as torn:
        torn.write(b'{"half')
    EventLog(str(file)).write("push", number=2)
    first, half, last = file.read_bytes().split(b"\n")[:-1]
    assert half == b'{"half'
    assert json.loads(last)["prev"] == hashlib.sha256(half).hexdigest()


def test_stdout_has_the_same_events(tmp_path, capsys):
    EventLog(str(tmp_path / "pushes.jsonl")).write("push", number=1)
    assert json.loads(capsys.readouterr().out)["number"] == 1
