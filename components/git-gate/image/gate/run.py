"""Runs a program to its end, or to a time limit; then nothing that it started is left."""

import os
import signal
import subprocess
from collections import namedtuple

Result = namedtuple("Result", "code out err timed_out")
Result.__doc__ = "`out`: bytes. `err`: text. `code`: exit status, negative for a signal."


def run(argv: list[str], env: dict[str, str], timeout: float, cwd: str = "/", data: bytes = b"") -> Result:
    """`timeout` in seconds. `data` is its stdin."""
    process = subprocess.Popen(
        argv,
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(data, timeout)
        return Result(process.returncode, out, err.decode("utf-8", "replace"), False)
    except subprocess.TimeoutExpired:
        kill(process)
        return Result(process.returncode, b"", "", True)
    except BaseException:
        kill(process)
        raise


def kill(process: subprocess.Popen) -> None:
    """Ends a process that leads its own session, with its children, and reaps it.

    git gets time to take its locks away.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(2)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def kill_now(process: subprocess.Popen) -> None:
    """The same at once, and without reaping: for a timer, while others read from it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def first_to_go(pid: int) -> None:
    """Where memory runs out, the kernel ends this process and its children before git-gate itself."""
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass
