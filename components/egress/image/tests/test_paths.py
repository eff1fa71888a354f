import pytest

from egress.rules.globs import PathGlob
from egress.rules.globs import TextGlob
from egress.rules.paths import PathError
from egress.rules.paths import canonical


@pytest.mark.parametrize(
    "path",
    [
        "", "v1", "*", "/v1/../admin", "/v1/..", "/..", "/./v1", "/v1/.", "//v1", "/v1//x",
        "/v1/%2e%2e/x", "/v1/%2E/x", "/v1/.%2e/x", "/v1/a%2eb", "/v1/%5c..", "/v1\\..", "/v1/%5Cx", "/v1/%00",
        "/v1/%0d%0aX", "/v1/%1f", "/v1/%7f", "/v1/%252e%252e/x", "/v1/%252f", "/v1/%25252e", "/v1/%255c",
        "/v1/%2525252525252e", "/v1/%", "/v1/%2", "/v1/%zz", "/v1/%u002e", "/v1/a b", "/v1/\x00", "/v1/\x7f",
        "/v1/é", "/v1/#x", "/v1/..;/x", "/v1/.;a=b/x", "/v1/;/x", "/v1/%c0%ae%c0%ae/x", "/v1/%ff",
        "/v1/%ef%bc%8e%ef%bc%8e/x", "/v1/%ef%bc%8fx", "/v1/%e2%88%95x",
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(path):
    with pytest.raises(PathError):
        canonical(path, strict=True)


@pytest.mark.parametrize(
    ("path", "forms"),
    [
        ("/", ("/",)),
        ("/v1/", ("/v1/",)),
        ("/v1/messages", ("/v1/messages",)),
        ("/.well-known/x", ("/.well-known/x",)),
        ("/a/...", ("/a/...",)),
        ("/a%20b", ("/a b",)),
        ("/%7Euser", ("/~user",)),
        ("/%76%31", ("/v1",)),
        ("/100%25", ("/100%25",)),
        ("/caf%C3%A9", ("/café",)),
        ("/g%2fp", ("/g%2Fp",)),
        ("/a;x=1/b", ("/a;x=1/b", "/a/b")),
        ("/a%3bx/b", ("/a;x/b", "/a/b")),
        ("/a*b", ("/a*b",)),
    ],
)
def test_the_normal_form(path, forms):
    assert canonical(path, strict=True) == forms


def test_without_path_rules_only_what_breaks_requests_is_refused():
    for path in ("/@scope%2fname", "//x", "/a%2eb", "/a%252e"):
        assert canonical(path, strict=False) == (path,)
    for path in ("/a/../b", "/a b", "/a\\b", "/a%", "x"):
        with pytest.raises(PathError):
            canonical(path, strict=False)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/v1", ["/v1"], ["/v1/", "/v1x", "/v", "/V1", "/v1/a"]),
        ("/v1/*", ["/v1/a", "/v1/a.b"], ["/v1", "/v1/", "/v1/a/b", "/v2/a"]),
        ("/v1/**", ["/v1", "/v1/", "/v1/a", "/v1/a/b"], ["/v1x", "/", "/v1x/a", "/v1%2Fa", "/v1/a%2Fb"]),
        ("/**", ["/", "/a", "/a/b"], ["/a%2Fb"]),
        ("/a/**/z", ["/a/z", "/a/b/z", "/a/b/c/z"], ["/a", "/a/zz", "/a/z/b", "/az"]),
        ("/repos/*/*.git/**", ["/repos/me/x.git", "/repos/me/x.git/info/refs"], ["/repos/me/x/info", "/repos/x.git"]),
        ("/g%2fp/*", ["/g%2Fp/x"], ["/g/p/x", "/g%2Fp/x%2Fy"]),
        ("/%7Eme", ["/~me"], []),
        ("/a*c", ["/ac", "/abc"], ["/ab", "/a/c"]),
    ],
)
def test_globs(pattern, yes, no):
    glob = PathGlob(pattern)
    assert [path for path in yes if not glob.matches(path)] == []
    assert [path for path in no if glob.matches(path)] == []


def test_a_glob_is_literal_but_for_its_stars():
    assert TextGlob("a.c").matches("a.c") and not TextGlob("a.c").matches("abc")
    assert TextGlob("[ab]?").matches("[ab]?") and not TextGlob("[ab]?").matches("a1")
    assert TextGlob("*a*b*").matches("xxaxxbxx") and not TextGlob("*a*b*").matches("ba")


def test_matching_cannot_be_kept_busy():
    import time

    started = time.perf_counter()
    assert not TextGlob("*a*a*a*a*a*a*b").matches("a" * 8000)
    assert not PathGlob("/**/a/**/a/**/a/**/b").matches("/a" * 4000)
    assert time.perf_counter() - started < 2
