"""A running git-gate with file upstreams, and an agent that speaks git to it."""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from gate import gitenv
from gate.scan.scan import scan

AGENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "init.defaultBranch",
    "GIT_CONFIG_VALUE_0": "main",
    "GIT_CONFIG_KEY_1": "protocol.file.allow",
    "GIT_CONFIG_VALUE_1": "always",
    "GIT_CONFIG_KEY_2": "merge.directoryRenames",
    "GIT_CONFIG_VALUE_2": "true",
    "GIT_TERMINAL_PROMPT": "0",
    **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "agent"), ("EMAIL", "a@b.example"))},
}
# Of a shape that gitleaks knows; put together here, so that no scanner takes this file for a leak.
SECRET = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
OTHER_SECRET = "AKIA" + "QYLPMN5HFIQR7XYA"
LIMITS = {"pack_bytes": 50_000_000, "file_bytes": 5_000_000, "refs": 20, "scan_seconds": 30, "connections": 8}
PUSH = {"branches": ["agent/**"], "tags": ["v*"], "delete": False, "force": False}


def git(folder, *arguments, check=True, data=None, env=None, binary=False):
    """git as the agent (or the upstream's owner) runs it; its output, stripped."""
    result = subprocess.run(["git", *arguments], cwd=folder, env=AGENT | (env or {}), input=data, capture_output=True, timeout=60)
    assert not check or result.returncode == 0, result.stderr.decode("utf-8", "replace")
    return result.stdout if binary else result.stdout.decode("utf-8", "replace").strip()


class Work:
    """A clone, with what tests do in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def git(self, *arguments, **options):
        return git(self.folder, *arguments, **options)

    def write(self, name, content) -> None:
        path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)

    def commit(self, message="work", **files) -> str:
        """Commits everything; its hash."""
        for name, content in files.items():
            self.write(name, content)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *specs):
        """(exit status, what the agent reads)."""
        result = subprocess.run(["git", "push", "origin", *specs], cwd=self.folder, env=AGENT, capture_output=True, timeout=60)
        return result.returncode, result.stderr.decode("utf-8", "replace")


class Gate:
    """A git-gate that runs below a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("etc/git-gate/config", "etc/git-gate/trust", "run/secrets/git-gate", "srv/git", "var/log/git-gate", "upstreams"):
            (root / folder).mkdir(parents=True)
        self.upstreams: dict[str, dict] = {}
        self.top = {"limits": dict(LIMITS), "signing": None, "gitleaks": None}
        self.port, self.signing_port = _free_port(), _free_port()
        self.env = {
            "GIT_GATE_ROOT": str(root), "GIT_GATE_PORT": str(self.port), "GIT_GATE_SIGNING_PORT": str(self.signing_port),
            "PATH": os.environ["PATH"], "A_TOKEN": "value-of-a-variable",
        }  # fmt: skip
        self.render()

    def render(self, revision="r1") -> None:
        """Replaces gate.json, as the host does."""
        path = self.root / "etc/git-gate/config/gate.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"revision": revision, "upstreams": list(self.upstreams.values()), **self.top}))
        new.rename(path)

    def start(self) -> None:
        before = (self.root / "stdout").stat().st_size if (self.root / "stdout").exists() else 0
        self.process = subprocess.Popen(
            ["/opt/git-gate/bin/git-gate"], env=self.env, stdout=open(self.root / "stdout", "ab"), stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 10
        while b'"listening"' not in (self.root / "stdout").read_bytes()[before:]:
            assert self.process.poll() is None and time.monotonic() < deadline, (self.root / "stdout").read_text()
            time.sleep(0.01)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(5)

    def command(self, *arguments, **options):
        return subprocess.run(["/opt/git-gate/bin/git-gate", *arguments], env=self.env, capture_output=True, text=True, timeout=60, **options)

    def add(self, name: str, **changes) -> dict:
        """Adds an upstream to gate.json."""
        self.upstreams[name] = {
            "id": name, "path": f"file/{name}", "url": f"file:///upstreams/{name}", "transport": "file", "key": None,
            "known_hosts": None, "token": None, "push": dict(PUSH), "serve_stale": False,
            "config_key": "bottle:git.upstreams[0]", **changes,
        }  # fmt: skip
        self.render()
        return self.upstreams[name]

    def url(self, name: str) -> str:
        return f"git://127.0.0.1:{self.port}/{self.upstreams[name]['path']}"

    def evidence(self) -> list[dict]:
        path = self.root / "var/log/git-gate/pushes.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def events(self, name: str, kind="push") -> list[dict]:
        return [record for record in self.evidence() if record.get("upstream") == name and record["event"] == kind]


def place(template: Path, upstream: Path, owner: Path) -> Work:
    """A copy of the template: an upstream, and its owner's clone."""
    shutil.copytree(template / "upstream", upstream)
    shutil.copytree(template / "owner", owner)
    config = owner / ".git/config"
    config.write_text(config.read_text().replace(str(template / "upstream"), str(upstream)))
    return Work(owner)


class Scene:
    """A mirror that has the upstream's main, and new commits as if in quarantine. For the scan alone, without a push."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.owner = place(template, folder / "upstream", folder / "owner")
        self.work = Work(folder / "work")
        self.mirror = folder / "mirror.git"
        shutil.copytree(template / "upstream", self.mirror)
        (self.mirror / "info").mkdir(exist_ok=True)
        (self.mirror / "info/attributes").write_text(gitenv.ATTRIBUTES)
        git(folder, "clone", "--quiet", str(folder / "upstream"), "work")
        self.work.git("checkout", "--quiet", "-b", "agent/x")
        self.rules = None
        self.seconds = 20.0

    def publish(self) -> None:
        """The owner's main becomes the upstream's; the mirror follows, and the agent fetches it."""
        self.owner.git("push", "--quiet", "origin", "HEAD:main")
        git(self.mirror, "fetch", "--quiet", str(self.owner.folder), "+main:main")
        self.work.git("fetch", "--quiet", "origin")

    def start_at(self, base="origin/main") -> None:
        """The agent's branch begins there, without commits of its own."""
        self.work.git("checkout", "--quiet", "-B", "agent/x", base)

    def scan(self, *names: str):
        """What the scan of some refs says."""
        refs = {}
        for name in names or ("refs/heads/agent/x",):
            refs[name] = self.work.git("rev-parse", name)
        env = gitenv.plain() | {"GIT_DIR": str(self.mirror), "GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{self.work.folder}/.git/objects"}
        return scan(env, refs, self.rules, self.seconds)


class Project:
    """One upstream (a bare repository with a commit on main), and the agent's clone of it through the gate."""

    def __init__(self, gate: Gate, name: str, folder: Path, template: Path) -> None:
        self.gate, self.name, self.folder = gate, name, folder
        self.upstream = gate.root / "upstreams" / name
        self.owner = place(template, self.upstream, folder / "owner")
        self.base = self.owner.git("rev-parse", "HEAD")
        self.entry = gate.add(name)
        self._work = None

    def set(self, **changes) -> None:
        self.entry.update(changes)
        self.gate.render()

    def allow(self, **changes) -> None:
        self.set(push=PUSH | changes)

    @property
    def work(self) -> Work:
        """On branch agent/x."""
        if self._work is None:
            self._work = self.clone("work")
            self._work.git("checkout", "--quiet", "-b", "agent/x")
        return self._work

    def clone(self, name: str) -> Work:
        git(self.folder, "clone", "--quiet", self.gate.url(self.name), name)
        return Work(self.folder / name)

    def refs(self) -> dict[str, str]:
        """Of the upstream itself."""
        lines = git(self.upstream, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.rsplit(" ", 1) for line in lines)

    @property
    def mirror(self) -> Path:
        return self.gate.root / "srv/git" / f"{self.entry['path']}.git"

    def events(self, kind="push") -> list[dict]:
        return self.gate.events(self.name, kind)

    def ask(self) -> None:
        """The bottle has supervise."""
        self.gate.top["ask"] = True
        self.gate.render()

    def hook(self, name: str, text: str) -> None:
        """A hook of the upstream's own."""
        path = self.upstream / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def gate(tmp_path_factory):
    gate = Gate(tmp_path_factory.mktemp("gate"))
    gate.start()
    yield gate
    gate.stop()


@pytest.fixture
def own_gate(tmp_path):
    """A gate for one test, which starts it."""
    gate = Gate(tmp_path / "gate")
    yield gate
    if hasattr(gate, "process") and gate.process.poll() is None:
        gate.stop()


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    git(folder, "init", "--quiet", "--bare", "--template=", "upstream")
    git(folder, "clone", "--quiet", "--template=", str(folder / "upstream"), "owner")
    Work(folder / "owner").commit("base", readme="hello\n")
    git(folder / "owner", "push", "--quiet", "origin", "HEAD:main")
    return folder


@pytest.fixture
def scene(template, tmp_path):
    return Scene(template, tmp_path)


@pytest.fixture
def project(gate, template, tmp_path, request):
    name = "".join(char if char.isalnum() else "-" for char in request.node.name.lower())[:50].strip("-") + f"-{len(gate.upstreams)}"
    yield Project(gate, name, tmp_path, template)
    gate.top.update(limits=dict(LIMITS), gitleaks=None, signing=None, ask=False)
    gate.render()
