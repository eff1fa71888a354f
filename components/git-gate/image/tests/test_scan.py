"""Where a secret may hide in what is pushed."""

import os
import shutil

import pytest

from conftest import OTHER_SECRET, SECRET, Work, git
from gate.push.told import findings_told, recorded
from gate.scan.gitleaks import ScanError


def refused(project, *, spec="refs/heads/agent/x", rule="github-pat"):
    """Lines that tell of what was found."""
    findings = project.scan(spec).findings
    assert rule in [finding.rule for finding in findings], findings
    told = "\n".join(findings_told(findings))
    for text in (told, str(recorded(findings))):
        assert SECRET not in text and OTHER_SECRET not in text
    return told


def accepted(project, *, spec="refs/heads/agent/x"):
    scanned = project.scan(spec)
    assert scanned.findings == [] and scanned.commits > 0


def test_a_secret_is_told_by_file_line_and_commit(scene):
    value = scene.work.commit(**{"conf/app.py": f"one\ntwo\ntoken = '{SECRET}'\n"})
    told = refused(scene)
    assert f"github-pat: conf/app.py:3, commit {value[:12]}" in told
    assert "bottle:git.gitleaks" in told and "a later commit that removes" in told
    (finding,) = recorded(scene.scan().findings)
    assert finding == {"rule": "github-pat", "file": "conf/app.py", "line": 3, "commit": value}


def test_only_in_a_commit_in_between(scene):
    scene.work.commit(a="fine\n")
    scene.work.commit(a=f"{SECRET}\n")
    scene.work.commit(a="fine again\n")
    refused(scene)


def test_a_commit_that_removes_one_is_let_through(scene):
    scene.owner.commit(old=f"{SECRET}\nrest\n")
    scene.publish()
    scene.start_at()
    scene.work.commit(old="rest\n")
    accepted(scene)


def test_a_file_renamed_or_changed_elsewhere_is_not_new(scene):
    scene.owner.commit(old="".join(f"line {n}\n" for n in range(40)) + f"{SECRET}\n")
    scene.publish()
    scene.start_at()
    scene.work.git("mv", "old", "new")
    scene.work.commit("renamed")
    scene.work.commit(new="changed\n" + (scene.work.folder / "new").read_text())
    accepted(scene)


@pytest.mark.parametrize("name", ["picture.png", "go.sum", "node_modules/a/b.js", "vendor/github.com/x/y.go", ".gitleaks.toml", "a.pdf", "package-lock.json"])
def test_no_name_hides_a_file(scene, name):
    scene.work.commit(**{name: f"{SECRET}\n"})
    refused(scene)


def test_ordinary_lock_files_are_fine(scene):
    line = '"integrity": "sha512-' + "Zm9vYmFyYmF6cXV4" * 5 + '==", "api_key": "b5dbb2a8a0a04d5f9c3d4a3f6e2b1c0d"\n'
    scene.work.commit(**{"package-lock.json": line, "yarn.lock": "sourcegraph@1.0: https://r.example/x.tgz#" + "0123456789abcdef" * 2 + "01234567\n"})
    accepted(scene)


def test_gitleaks_allow_and_ignore_files_of_the_push_do_not_count(scene):
    scene.work.commit(**{
        "a.py": f"x = '{SECRET}'  # gitleaks:allow\n",
        ".gitleaksignore": "a.py:github-pat:1\n",
        ".gitleaks.toml": '[allowlist]\npaths = [".*"]\n',
    })
    refused(scene)


@pytest.mark.parametrize("attributes", ["* -diff\n", "* binary\n", "* diff=none -text\n", "* -diff -text filter=x diff=y\n"])
def test_attributes_do_not_hide(scene, attributes):
    # Its HEAD has them as well: git reads those of HEAD in a bare repository.
    scene.owner.commit(**{".gitattributes": attributes})
    scene.publish()
    scene.work.commit(**{"x.txt": f"{SECRET}\n"})
    refused(scene)


@pytest.mark.parametrize("content", [
    b"\0\0\0" + SECRET.encode() + b"\0\0",
    b"\x89PNG\r\n\x1a\n\0\xff" + SECRET.encode(),
    SECRET.encode("utf-16"),
    SECRET.encode("utf-16-be"),
    b"\xff\xfe" + b"x" * 3_000_000 + b" " + SECRET.encode() + b" " + b"y" * 1_000_000,
    b"PK\x03\x04" + SECRET.encode(),
    SECRET.encode(),
    ("a\r" * 100 + SECRET + "\r").encode(),
    ("filler of a large file\n" * 150_000 + SECRET + "\n").encode(),
], ids=["nul", "png", "utf16", "utf16be", "huge-line", "zip-head", "no-newline", "carriage-returns", "large"])  # fmt: skip
def test_content_that_is_no_plain_text(scene, content):
    scene.work.commit(**{"data.bin": content})
    refused(scene)


def test_base64_and_percent_encodings_are_decoded(scene):
    import base64

    scene.work.commit(a="x = " + base64.b64encode(f"token={SECRET}".encode()).decode() + "\n")
    refused(scene)


@pytest.mark.parametrize("name", [
    b"sp ace", b'qu"ote', b"new\nline", b"\xff\xfe", b"tab\there", b"b/a/x", b"--help", b"@@ -1 +1 @@", b"diff --git a b", "ü".encode(), b"\\back",
    b"a b/c d/ e", b"+++ b", b"x\n+++ b", b"dev/null", b"x\n@@ -0,0 +1 @@\n",
])  # fmt: skip
def test_odd_file_names(scene, name):
    scene.work.write(name, f"{SECRET}\n")
    scene.work.commit()
    refused(scene)


def test_lines_that_look_like_patches(scene):
    scene.work.commit(a="@@ -1 +1 @@\ndiff --git a/x b/x\n--- a/x\n+++ b/x\ncommit 12\n", b="-\n+\n \n\\ No newline\n")
    scene.work.commit(a="@@ -1 +1 @@\ndiff --git a/y b/y\n+++ /dev/null\n@@ -1,99 +1,99 @@\n", b="\n\n-- \n")
    accepted(scene)
    scene.work.commit(c=f"@@ -9,9 +0,0 @@\n{SECRET}\n")
    refused(scene)


def test_in_a_commit_message(scene):
    value = scene.work.commit(f"message with {SECRET} in it")
    assert f"message, author or header of the commit, commit {value[:12]}" in refused(scene)


def test_in_a_name_of_author_or_committer(scene):
    scene.work.git("commit", "--allow-empty", "--message", "x", env={"GIT_AUTHOR_NAME": SECRET})
    refused(scene)
    scene.work.git("commit", "--amend", "--reset-author", "--allow-empty", "--message", "x", env={"GIT_COMMITTER_EMAIL": SECRET})
    refused(scene)


def test_behind_a_nul_or_in_an_odd_header_of_a_commit(scene):
    tree = scene.work.git("rev-parse", "HEAD^{tree}")
    head = f"tree {tree}\nparent {scene.work.git('rev-parse', 'HEAD')}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n"
    for text in (f"{head}\nmessage\0{SECRET}\n", f"{head}x-note {SECRET}\n\nmessage\n", f"{head}\ntree {SECRET}\n\nparent {SECRET}"):
        value = scene.work.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", data=text.encode())
        scene.work.git("reset", "--quiet", "--soft", value)
        refused(scene)


def test_in_a_file_name(scene):
    scene.work.commit(**{f"dir/{SECRET}.txt": ""})
    assert "a file's name" in refused(scene)


def test_in_the_name_of_a_renamed_file(scene):
    scene.work.git("mv", "readme", SECRET)
    scene.work.commit("renamed")
    refused(scene)


def test_a_file_name_that_was_there_is_fine(scene):
    scene.owner.commit(**{f"dir/{SECRET}": "x\n"})
    scene.publish()
    scene.start_at()
    scene.work.commit(**{f"dir/{SECRET}": "y\n", "dir/other": "z\n"})
    accepted(scene)


def test_content_in_a_file_whose_name_is_a_secret_tells_neither(scene):
    scene.work.commit(**{f"dir/{SECRET}": f"{OTHER_SECRET}\n"})
    refused(scene, rule="aws-access-token")


def test_in_a_branch_name(scene):
    scene.work.commit(a="x\n")
    scene.work.git("branch", f"agent/{SECRET}")
    refused(scene, spec=f"refs/heads/agent/{SECRET}")


def test_in_a_tag_and_in_a_tag_of_a_tag(scene):
    scene.work.git("tag", "--annotate", "v1", "--message", f"release {SECRET}")
    told = refused(scene, spec="refs/tags/v1")
    assert "message or header of the tag, tag" in told
    scene.work.git("tag", "--annotate", "v2", "v1", "--message", "outer")
    refused(scene, spec="refs/tags/v2")
    scene.work.git("tag", "--annotate", "v3", "--message", "fine")
    assert scene.scan("refs/tags/v3") == (0, [])


def test_in_a_symlink(scene):
    os.symlink(SECRET, scene.work.folder / "link")
    scene.work.commit("link")
    refused(scene)


def test_in_a_commit_that_only_a_tag_reaches(scene):
    scene.work.git("checkout", "--quiet", "--detach")
    scene.work.commit(a=f"{SECRET}\n")
    scene.work.git("tag", "v9")
    refused(scene, spec="refs/tags/v9")


def test_in_an_unrelated_root(scene):
    scene.work.git("checkout", "--quiet", "--orphan", "other")
    scene.work.commit(a=f"{SECRET}\n")
    refused(scene, spec="refs/heads/other")


def test_a_merge_of_the_upstream_brings_nothing_new(scene):
    scene.work.commit(a="mine\n", shared="one\ntwo\nthree\n")
    accepted(scene)
    scene.owner.commit(old=f"{SECRET}\n", shared="one\n2\nthree\n" + f"{OTHER_SECRET}\n")
    scene.publish()
    scene.work.git("merge", "--quiet", "origin/main", check=False)
    scene.work.write("shared", f"one\ntwo\nmine\n{OTHER_SECRET}\n")
    scene.work.commit("merge with a conflict")
    accepted(scene)


def merge(scene, *branches, **files):
    """An evil merge: of branches that change different files, with content that neither has."""
    for branch in branches:
        scene.work.git("checkout", "--quiet", "-b", branch, "origin/main")
        scene.work.commit(**{f"of-{branch}": f"{branch}\n", "readme": "hello\n"})
    scene.work.git("checkout", "--quiet", "agent/x")
    scene.work.commit(mine="mine\n", both="1\n2\n3\n")
    scene.work.git("merge", "--quiet", "--no-commit", "--no-ff", *branches)
    return scene.work.commit("merge", **files)


@pytest.mark.parametrize("branches", [["one"], ["one", "two", "three"]], ids=["merge", "octopus"])
@pytest.mark.parametrize("files", [
    {"fresh": f"{SECRET}\n"},
    {"readme": f"hello\n{SECRET}\n"},
    {"of-one": f"a\0{SECRET}\n\0\n"},
    {"mine": f"a\nb\n{SECRET}\nc\n", ".gitattributes": "* -diff\n"},
], ids=["new-file", "shared", "binary", "attributes"])  # fmt: skip
def test_evil_merges(scene, branches, files):
    value = merge(scene, *branches, **files)
    assert value[:12] in refused(scene)


def test_a_secret_on_the_merged_side(scene):
    scene.work.git("checkout", "--quiet", "-b", "side")
    scene.work.commit(a=f"{SECRET}\n")
    scene.work.commit(a="gone\n")
    scene.work.git("checkout", "--quiet", "agent/x")
    scene.work.commit(b="x\n")
    scene.work.git("merge", "--quiet", "--no-ff", "-m", "m", "side")
    refused(scene)


def test_a_name_that_only_a_merge_brings(scene):
    merge(scene, "one", **{f"x/{SECRET}": ""})
    refused(scene)


def test_a_rename_on_one_side_of_a_merge(scene):
    text = "".join(f"line {n}\n" for n in range(60))
    scene.owner.commit(old=text + f"{SECRET}\n")
    scene.publish()
    scene.start_at()
    scene.work.git("mv", "old", "new")
    scene.work.commit("renamed")
    scene.owner.commit(old="first\n" + text + f"{SECRET}\n{OTHER_SECRET}\n")
    scene.publish()
    scene.work.git("merge", "--quiet", "-m", "m", "origin/main")
    accepted(scene)


def test_a_replaced_object_hides_nothing(scene):
    bad = scene.work.commit(a=f"{SECRET}\n")
    scene.work.git("reset", "--quiet", "--hard", "HEAD~")
    good = scene.work.commit(a="fine\n")
    scene.work.git("replace", bad, good)
    shutil.copytree(scene.work.folder / ".git/refs/replace", scene.mirror / "refs/replace")
    scene.work.git("update-ref", "refs/heads/agent/x", bad)
    refused(scene)


def test_the_users_own_rules_count(scene):
    scene.rules = """
[extend]
useDefault = true
[[allowlists]]
paths = ["^fixtures/"]
[[rules]]
id = "ours"
regex = "BOTTLE-[0-9]{6}"
"""
    scene.work.commit(**{"fixtures/a": f"{SECRET}\n"})
    accepted(scene)
    scene.work.commit(**{"src/a": "BOTTLE-123456\n"})
    refused(scene, rule="ours")


def test_no_more_than_twenty_findings_are_told(scene):
    scene.work.commit(**{f"f{n}": f"{SECRET}\n" for n in range(25)})
    told = refused(scene)
    assert told.count("github-pat: f") == 20 and "and 5 more" in told and "25 places" in told


@pytest.mark.parametrize("rules", ['[[rules]]\nid = "x"\nregex = "("\n', "nonsense", 'title = "no rules"\n'])
def test_rules_that_gitleaks_cannot_use(scene, rules):
    scene.rules = rules
    scene.work.commit(a="fine\n")
    with pytest.raises(ScanError, match="gitleaks failed"):
        scene.scan()


def test_trees_that_unfold_without_end(scene):
    """A few objects that make 10^8 files."""
    blob = scene.work.git("hash-object", "-w", "--stdin", data=b"x\n")
    mode, kind = "100644", "blob"
    for _ in range(8):
        listing = "".join(f"{mode} {kind} {blob}\tn{n}\n" for n in range(10))
        blob, mode, kind = scene.work.git("mktree", data=listing.encode()), "040000", "tree"
    value = scene.work.git("commit-tree", blob, "-p", "HEAD", "-m", "bomb")
    scene.work.git("update-ref", "refs/heads/agent/x", value)
    scene.seconds = 1
    with pytest.raises(ScanError, match="took too long"):
        scene.scan()


def test_what_is_missing_or_broken_is_no_clean_scan(scene):
    """git's failure half way must not look like an end."""
    scene.work.commit(a="one\n")
    value = scene.work.commit(b="two\n")
    scene.work.commit(c="three\n")
    blob = scene.work.git("rev-parse", f"{value}:b")
    (scene.work.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(ScanError, match="git failed|cut short"):
        scene.scan()


def test_a_submodule_that_a_merge_resolves(scene):
    for branch, value in (("one", "1" * 40), ("agent/x", "2" * 40)):
        scene.work.git("checkout", "--quiet", "-B", branch, "origin/main")
        scene.work.git("update-index", "--add", "--cacheinfo", f"160000,{value},sub")
        scene.work.git("commit", "--quiet", "--message", branch)
    scene.work.git("merge", "--no-commit", "one", check=False)
    scene.work.git("update-index", "--add", "--cacheinfo", f"160000,{'3' * 40},sub")
    scene.work.git("commit", "--quiet", "--message", "merge")
    accepted(scene)


def test_a_repository_of_sha256(scene, tmp_path):
    folder = tmp_path / "wide"
    git(tmp_path, "init", "--quiet", "--object-format=sha256", str(folder))
    git(tmp_path, "init", "--quiet", "--bare", "--object-format=sha256", "wide.git")
    scene.work, scene.mirror = Work(folder), tmp_path / "wide.git"
    scene.work.git("checkout", "--quiet", "-b", "agent/x")
    value = scene.work.commit(a=f"{SECRET}\n")
    assert len(value) == 64 and value[:12] in refused(scene)
