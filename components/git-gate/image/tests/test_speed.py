"""Bounds that are felt; far above what is measured, so that a busy machine keeps them."""

import subprocess
import time

from conftest import AGENT, git


def history(folder, base, count):
    """`count` small commits on top of `base`; the last one's hash."""
    lines = []
    for number in range(count):
        text = f"def function_{number}(value):\n    return value + {number}\n" * 5
        lines.append(f"commit refs/heads/agent/many\nmark :{number + 1}\ncommitter a <a@b> {1700000000 + number} +0000\ndata 8\nmessage\n")
        lines.append(f"from {base}\n" if number == 0 else "")
        lines.append(f"M 100644 inline src/file{number % 50}.py\ndata {len(text)}\n{text}\n")
    git(folder, "fast-import", "--quiet", data="".join(lines).encode())
    return git(folder, "rev-parse", "agent/many")


def test_a_thousand_commits(scene):
    history(scene.work.folder, scene.work.git("rev-parse", "HEAD"), 1000)
    started = time.monotonic()
    scanned = scene.scan("refs/heads/agent/many")
    seconds = time.monotonic() - started
    print(f"scan of 1,000 commits: {seconds:.2f} s")
    assert scanned.commits == 1000 and scanned.findings == [] and seconds < 6


def test_hooks_start_fast(tmp_path):
    started = time.monotonic()
    for _ in range(5):
        subprocess.run(["/opt/git-gate/hooks/pre-receive"], stdin=subprocess.DEVNULL, capture_output=True, env={"GIT_GATE_ROOT": str(tmp_path)})
    seconds = (time.monotonic() - started) / 5
    print(f"start of a hook: {seconds * 1000:.0f} ms")
    assert seconds < 0.2


def test_a_warm_fetch(project):
    url = project.gate.url(project.name)
    git(project.folder, "ls-remote", url)
    started = time.monotonic()
    for _ in range(5):
        subprocess.run(["git", "ls-remote", url], env=AGENT, capture_output=True, check=True)
    seconds = (time.monotonic() - started) / 5
    print(f"ls-remote through the gate: {seconds * 1000:.0f} ms")
    assert seconds < 0.5
