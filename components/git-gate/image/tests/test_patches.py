"""The parser of patches, on text: what it does not know is an error."""

import io

import pytest

from gate.scan.gitleaks import ScanError
from gate.scan.patches import Added, Merged, added

C = "1" * 40
HEAD = f"M {C}\n\n".replace("M ", "mark ")


def parse(text):
    return list(added(io.BytesIO(text.encode() if isinstance(text, str) else text), b"mark "))


def test_a_plain_patch():
    text = HEAD + (
        "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,0 +2,2 @@ context\n+one\n+two\n@@ -5 +8 @@\n-old\n+new\n"
        "diff --git a/gone b/gone\ndeleted file mode 100644\nindex 1..0\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    )
    assert parse(text) == [C, Added(C, "x", 2, b"one\ntwo\n"), Added(C, "x", 8, b"new\n")]


def test_the_ends_of_files():
    text = HEAD + "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
    assert parse(text) == [C, Added(C, "x", 1, b"b\n")]


def test_lines_that_look_like_heads():
    text = HEAD + "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n--- a/y\n-diff --git\n+++ b/y\n+mark 2\n+@@ -1 +1 @@\n"
    assert parse(text) == [C, Added(C, "x", 1, b"++ b/y\nmark 2\n@@ -1 +1 @@\n")]


@pytest.mark.parametrize("quoted, name", [
    ("b/plain", "plain"), ("b/sp ace\t", "sp ace"), ('"b/qu\\"ote"', 'qu"ote'), ('"b/a\\nb"', "a\nb"), ('"b/\\303\\274"', "ü"), ('"b/\\377"', "\\xff"), ('"b/\\\\n"', "\\n"),
])  # fmt: skip
def test_names(quoted, name):
    assert parse(HEAD + f"diff --git x\n--- a\n+++ {quoted}\n@@ -0,0 +1 @@\n+x\n")[1].path == name


MERGE = HEAD + f"diff --combined f\nindex {'a' * 40},{'b' * 40}..{'c' * 40}\nmode 100644,100644..100755\n--- a/f\n+++ b/f\n"


def test_a_merge_says_which_lines_no_parent_has():
    text = MERGE + "@@@ -1,3 -1,3 +1,6 @@@\n -l1\n +main\n- l2\n++new\n++more\n+ side\n++last\n@@@ -9,1 -9,1 +20,1 @@@\n++x\n"
    blob = "c" * 40
    assert parse(text) == [C, Merged(C, "f", 2, 2, blob), Merged(C, "f", 5, 1, blob), Merged(C, "f", 20, 1, blob)]


def test_an_octopus():
    text = MERGE + "@@@@ -1,0 -1,1 -1,0 +1,2 @@@@\n+ +o2\n+++EVIL\n" + HEAD
    assert parse(text)[1:] == [Merged(C, "f", 2, 1, "c" * 40), C]


@pytest.mark.parametrize("text", [
    "nonsense\n",
    "diff --git a/x b/x\n",
    HEAD + "Binary files a/x and b/x differ\n",
    HEAD + "diff --git a/x b/x\nBinary files a/x and b/x differ\n",
    HEAD + "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+b\n",
    HEAD + "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\nb\n",
    HEAD + "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ nonsense @@\n",
    HEAD + "diff --git a/x b/x\n@@ -1 +1 @@\n-a\n+b\n",
    HEAD + "diff --git a/x b/x\n--- a/x\n+++ x\n@@ -1 +1 @@\n-a\n+b\n",
    MERGE + "@@@ nonsense @@@\n",
    HEAD + "diff --cc f\n--- a/f\n+++ b/f\n@@@ -1 -1 +1 @@@\n++x\n",
    HEAD + "GIT binary patch\n",
])  # fmt: skip
def test_what_is_not_understood_is_an_error(text):
    with pytest.raises(ScanError):
        parse(text)
