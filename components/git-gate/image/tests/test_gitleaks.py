"""gitleaks as it is driven here: whole, or not at all."""

import subprocess
import time

import pytest

from conftest import OTHER_SECRET, SECRET
from gate.scan import gitleaks
from gate.scan.gitleaks import OVERLAP, PIECE, Finding, Gitleaks, Place, ScanError, pieces

FILE = Place("", "c" * 40, "a.py", 10)


def found(*texts, rules=None):
    with Gitleaks(rules, 20) as scanner:
        for text in texts:
            scanner.feed(FILE, text)
        return scanner.findings()


def test_findings_have_their_place_and_no_secret():
    assert found(f"x\ny = '{SECRET}'\n".encode()) == [Finding("github-pat", "", "c" * 40, "a.py", 11)]


def test_nothing_is_nothing():
    assert found() == [] and found(b"") == [] and found(b"\n\0\xff") == []


@pytest.mark.parametrize("offset", [PIECE - 20, PIECE - 1, PIECE - OVERLAP - 5, 2 * PIECE - OVERLAP - 20])
def test_a_secret_on_a_cut(offset):
    for filler in (b"x", b"some words\n"):
        text = (filler * (3 * PIECE // len(filler)))[: 3 * PIECE]
        text = text[:offset] + b" " + SECRET.encode() + b" " + text[offset:]
        (finding,) = {*found(text)}
        assert finding.line == 10 + text[: offset + 1].count(b"\n")


def test_pieces_overlap_and_cover_all():
    for text in (b"x" * (3 * PIECE + 7), b"line\n" * PIECE, b"", b"\n" * (2 * PIECE)):
        end = 0
        for offset, piece in pieces(text):
            assert text[offset : offset + len(piece)] == piece and offset <= end and len(piece) <= PIECE
            end = offset + len(piece)
        assert end == len(text)


def test_a_gitleaks_that_dies_is_no_clean_scan(monkeypatch, tmp_path):
    for script in ("exit 0", "exit 1", "cat > /dev/null", "cat > /dev/null; echo '{\"fragments\": 7, \"bytes\": 1}'", "head -c 3 > /dev/null; kill -9 $$"):
        program = tmp_path / "gitleaks"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(gitleaks.paths, "PROGRAMS", str(tmp_path))
        with pytest.raises(ScanError):
            found(b"x", b"y" * 1_000_000)


def test_a_gitleaks_that_hangs_is_ended(monkeypatch, tmp_path):
    program = tmp_path / "gitleaks"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(gitleaks.paths, "PROGRAMS", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(ScanError, match="too long"), Gitleaks(None, 0.3) as scanner:
        scanner.feed(FILE, b"x" * 10_000_000)
        scanner.findings()
    assert time.monotonic() - started < 5


def test_more_findings_than_are_kept():
    text = "".join(f"{SECRET}\n" for _ in range(3000)).encode()
    assert len(found(text)) == gitleaks.MOST_FINDINGS


def test_rules_of_paths_hold_for_files_alone():
    rules = '[[rules]]\nid = "p12"\npath = "\\\\.p12$"\n'
    with Gitleaks(rules, 20) as scanner:
        scanner.feed(Place("", "c", "a/b.p12", 1), b"x")
        scanner.feed(Place("name", "c", "other.p12", 1), b"x")
        assert [finding.file for finding in scanner.findings()] == ["a/b.p12"]


def test_it_is_the_pinned_version_of_gitleaks():
    assert subprocess.run(["gitleaks", "version"], capture_output=True, text=True).stdout.strip() == "8.29.1"


def test_the_strict_defaults_are_those_of_gitleaks_otherwise(tmp_path):
    (tmp_path / "a.txt").write_text(f"{SECRET}\n{OTHER_SECRET}\n")
    argv = ["gitleaks", "dir", "--no-banner", "--exit-code=7", "--report-format=json", "--report-path=-", str(tmp_path)]
    result = subprocess.run(argv, capture_output=True, text=True)
    assert result.returncode == 7 and "github-pat" in result.stdout and "aws-access-token" in result.stdout
