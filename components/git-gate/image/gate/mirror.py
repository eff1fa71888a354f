"""Bare mirrors under /srv/git, and who may change one at a time."""

import fcntl
import os
import subprocess

from . import gitenv, paths
from .config import Config, Upstream
from .run import run


class GitError(Exception):
    """git failed on a repository of ours."""


class Lock:
    """Held by whoever changes a mirror's refs. Across processes; freed by the kernel when its holder ends."""

    def __init__(self, upstream: Upstream) -> None:
        self._path = f"{paths.RUN}/locks/{upstream.id}"

    def __enter__(self) -> None:
        os.makedirs(os.path.dirname(self._path), 0o700, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def git(upstream: Upstream, *arguments: str, data: bytes = b"", timeout: float = 60) -> bytes:
    """git's output on a mirror, without network. Raises GitError."""
    result = run(["git", "--git-dir", upstream.mirror, *arguments], gitenv.plain(), timeout, data=data)
    if result.code != 0:
        raise GitError(f"git {arguments[0]} on the mirror of {upstream.id}: {result.err.strip()[:300] or result.code}")
    return result.out


def is_there(upstream: Upstream) -> bool:
    """Whether the mirror was made, for this very URL."""
    try:
        with open(f"{upstream.mirror}/git-gate-url", encoding="utf-8") as file:
            return file.read() == upstream.url
    except OSError:
        return False


def mark_synced(upstream: Upstream) -> None:
    """Notes that the mirror has its upstream's state, as of now."""
    paths.write(f"{upstream.mirror}/git-gate-synced", "")


def was_synced(upstream: Upstream) -> bool:
    """Whether the mirror ever had its upstream's state."""
    return is_there(upstream) and os.path.exists(f"{upstream.mirror}/git-gate-synced")


def make(upstream: Upstream, object_format: str = "sha1") -> None:
    """Makes an empty mirror, in place of whatever is there. Raises GitError."""
    remove(upstream.mirror)
    os.makedirs(os.path.dirname(upstream.mirror), exist_ok=True)
    _init(upstream.mirror, object_format)
    os.makedirs(f"{upstream.mirror}/info", exist_ok=True)
    paths.write(f"{upstream.mirror}/info/attributes", gitenv.ATTRIBUTES)
    paths.write(f"{upstream.mirror}/git-daemon-export-ok", "")
    # Last: says that all the rest is there.
    paths.write(f"{upstream.mirror}/git-gate-url", upstream.url)


def make_health() -> None:
    """The empty repository that the health check fetches from."""
    path = f"{paths.RUN}/health.git"
    if not os.path.exists(f"{path}/git-daemon-export-ok"):
        _init(path, "sha1")
        paths.write(f"{path}/git-daemon-export-ok", "")


def _init(path: str, object_format: str) -> None:
    argv = ["git", "init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", path]
    result = run(argv, gitenv.plain(), timeout=30)
    if result.code != 0:
        raise GitError(f"{path} cannot be made: {result.err.strip()[:300]}")


def refs(upstream: Upstream) -> dict[str, str]:
    """Branches and tags with their values."""
    out = git(upstream, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/", "refs/tags/")
    pairs = (line.split(" ", 1) for line in out.decode("utf-8", "surrogateescape").splitlines())
    return {name: value for value, name in pairs}


def clean(upstream: Upstream) -> None:
    """Takes away what a killed git left: locks, half packs, quarantines. Only while no git runs."""
    for folder, folders, files in os.walk(upstream.mirror):
        for name in files:
            if name.endswith((".lock", ".keep")) or name.startswith("tmp_"):
                os.unlink(f"{folder}/{name}")
        for name in list(folders):
            if name.startswith("tmp_objdir-"):
                folders.remove(name)
                subprocess.run(["rm", "-rf", "--", f"{folder}/{name}"], check=False)


def remove_others(config: Config) -> list[str]:
    """Takes away all repositories of upstreams that gate.json no longer has; returns their paths."""
    kept = {upstream.mirror for upstream in config.upstreams}
    gone = []
    for folder, folders, _ in os.walk(paths.MIRRORS):
        for name in list(folders):
            path = f"{folder}/{name}"
            if name.endswith(".git"):
                folders.remove(name)
                if path not in kept:
                    remove(path)
                    gone.append(path)
    for folder, _, _ in os.walk(paths.MIRRORS, topdown=False):
        if folder != paths.MIRRORS and not os.listdir(folder):
            os.rmdir(folder)
    return gone


def remove(path: str) -> None:
    """Renamed first: nobody sees half a repository."""
    if not os.path.lexists(path):
        return
    away = f"{paths.MIRRORS}/.gone-{os.getpid()}-{os.urandom(4).hex()}.git"
    os.rename(path, away)
    subprocess.run(["rm", "-rf", "--", away], check=False)
