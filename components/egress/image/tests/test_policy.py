import json

import pytest

from egress.policy import Policy
from egress.rules import RulesError


@pytest.fixture
def folder(tmp_path, rules_text):
    (tmp_path / "rules.yaml").write_text(rules_text)
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "LLM_KEY").write_bytes(b"first-value\n")
    (tmp_path / "tokens" / ".revision").write_text("t1\n")
    return tmp_path


@pytest.fixture
def policy(folder):
    policy = Policy(folder / "rules.yaml", folder / "tokens", folder / "run" / "status.json")
    policy.start()
    return policy


def status(folder):
    return json.loads((folder / "run" / "status.json").read_text())


def test_the_status_file(policy, folder):
    found = status(folder)
    assert found.pop("loaded_at").endswith("Z")
    assert found == {"revision": "r1", "tokens_revision": "t1", "tokens": ["LLM_KEY"], "missing_tokens": [], "error": None}
    assert (folder / "run" / "status.json").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in (folder / "run").iterdir()] == ["status.json"]


def test_a_reload_takes_rules_and_tokens(policy, folder, rules_text):
    (folder / "rules.yaml").write_text(rules_text.replace('"r1"', '"r2"'))
    (folder / "tokens" / "LLM_KEY").write_bytes(b"second-value")
    heard = []
    policy.on_change(lambda: heard.append(policy.rules.revision))
    policy.reload()
    assert heard == ["r2"] and status(folder)["revision"] == "r2"
    assert policy.tokens.get("LLM_KEY") == b"second-value"


@pytest.mark.parametrize("text", ["revision: 3", "hosts: [", "\x00", None])
def test_refused_rules_leave_the_old_ones(policy, folder, text):
    if text is None:
        (folder / "rules.yaml").unlink()
    else:
        (folder / "rules.yaml").write_text(text)
    (folder / "tokens" / "LLM_KEY").write_bytes(b"second-value")
    before = policy.rules
    policy.on_change(lambda: pytest.fail("told of rules that are not in force"))
    policy.reload()
    assert policy.rules is before and policy.tokens.get("LLM_KEY") == b"second-value"
    assert status(folder)["revision"] == "r1" and status(folder)["error"]


def test_without_rules_it_does_not_start(folder):
    (folder / "rules.yaml").write_text("nonsense")
    with pytest.raises(RulesError, match="file: must be a mapping"):
        Policy(folder / "rules.yaml", folder / "tokens", folder / "status.json").start()


@pytest.mark.parametrize("value", [b"", b"\n", b"two\nlines\n", b"a\0b", b" led", b"trailed ", b"x" * 20000])
def test_a_value_that_no_header_can_hold_is_missing(policy, folder, value):
    (folder / "tokens" / "LLM_KEY").write_bytes(value)
    policy.reload()
    assert policy.tokens.get("LLM_KEY") is None and status(folder)["missing_tokens"] == ["LLM_KEY"]


def test_without_the_folder_variables_are_read(folder, monkeypatch):
    monkeypatch.setenv("LLM_KEY", "from-a-variable")
    policy = Policy(folder / "rules.yaml", folder / "nowhere", folder / "status.json")
    policy.start()
    assert policy.tokens.get("LLM_KEY") == b"from-a-variable"
    with_folder = Policy(folder / "rules.yaml", folder / "tokens", folder / "status.json")
    (folder / "tokens" / "LLM_KEY").unlink()
    with_folder.start()
    assert with_folder.tokens.get("LLM_KEY") is None


def test_values_are_shown_nowhere(policy, folder, capfd):
    policy.reload()
    shown = repr(policy.tokens) + str(policy.tokens) + (folder / "run" / "status.json").read_text() + "".join(capfd.readouterr())
    assert "first-value" not in shown and "LLM_KEY" in shown
