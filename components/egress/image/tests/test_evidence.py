import hashlib
import json

import pytest

from egress import log
from egress.evidence import KEPT
from egress.evidence import Evidence


def chain(*paths):
    """The lines of files in order; fails where one is not chained to the one before."""
    previous, lines = None, []
    for path in paths:
        for line in path.read_bytes().splitlines():
            if line.startswith(b"{") and line.endswith(b"}"):
                content = json.loads(line)
                assert list(content)[-1] == "prev"
                assert previous is None or content["prev"] == previous
                lines.append(content)
            previous = hashlib.sha256(line).hexdigest()
    return lines


def test_lines_are_chained_from_zeros_on(tmp_path):
    evidence = Evidence(tmp_path)
    for n in range(3):
        evidence.write({"event": "decision", "n": n})
    lines = chain(tmp_path / "decisions.jsonl")
    assert [line["n"] for line in lines] == [0, 1, 2]
    assert lines[0]["prev"] == "0" * 64
    assert (tmp_path / "decisions.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_chain_goes_on_over_restart_and_rotation(tmp_path):
    for n in range(40):
        Evidence(tmp_path, rotate_bytes=400).write({"n": n})
    files = sorted(tmp_path.iterdir(), key=lambda path: -int(path.suffix[1:]) if path.suffix[1:].isdigit() else 0)
    assert len(files) == KEPT + 1
    numbers = [line["n"] for line in chain(*files)]
    assert numbers == list(range(numbers[0], 40))


def test_a_line_that_a_crash_cut_off_stays_and_is_chained(tmp_path):
    Evidence(tmp_path).write({"n": 0})
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(path.read_bytes() + b'{"n": 1, "ha')
    Evidence(tmp_path).write({"n": 2})
    assert [line["n"] for line in chain(path)] == [0, 2]
    assert path.read_bytes().count(b"\n") == 3


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "decisions.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        Evidence(tmp_path)


def test_a_full_disk_ends_the_copy_and_not_the_log(tmp_path, capsys, monkeypatch):
    log.keep(tmp_path)
    monkeypatch.setattr("egress.evidence.os.write", lambda file, data: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    log.emit("decision", host="a")
    log.emit("decision", host="b")
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events == ["evidence_stopped", "decision", "decision"]
