import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cleanSettings, cleanUrl } from "../../components/agent/git-config.ts";

describe("a remote's URL", () => {
  it.each([
    ["https://github.com/a/b.git", "https://github.com/a/b.git"],
    ["https://user:ghp_secret@github.com/a/b.git", "https://github.com/a/b.git"],
    ["HTTPS://oauth2:t%40k@git.example.com:8443/a", "HTTPS://git.example.com:8443/a"],
    ["https://us@er:to@ken@example.com/a", "https://example.com/a"],
    ["https://example.com/a?private_token=secret#x", "https://example.com/a"],
    ["ssh://git@github.com/a/b", "ssh://git@github.com/a/b"],
    ["ssh://git:secret@example.com:2222/a", "ssh://git@example.com:2222/a"],
    ["git@github.com:a/b.git", "git@github.com:a/b.git"],
    ["../sibling", "../sibling"],
    ["/srv/git/a@b.git", "/srv/git/a@b.git"],
    ["ext::sh -c evil", undefined],
    ["https::https://user:secret@example.com", undefined],
  ])("%s → %s", (url, clean) => expect(cleanUrl(url)).toBe(clean));

  it("of http(s) never keeps what stands before the host", () => {
    const part = fc.stringMatching(/^[A-Za-z0-9:@%._~-]{1,20}$/);
    fc.assert(fc.property(fc.constantFrom("http", "https"), part, (scheme, secret) => {
      expect(cleanUrl(`${scheme}://${secret}@host.example/x@y`)).toBe(`${scheme}://host.example/x@y`);
    }));
  });
});

describe("a repository's settings", () => {
  it("lose what holds a credential or names a program", () => {
    const kept: [string, string][] = [
      ["core.autocrlf", "input"],
      ["user.name", "A"],
      ["remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"],
      ["remote.with.dots.tagopt", "--no-tags"],
      ["branch.main.merge", "refs/heads/main"],
      ["submodule.lib.active", "true"],
    ];
    const dropped: [string, string][] = [
      ["core.sshcommand", "evil"],
      ["core.fsmonitor", "evil"],
      ["core.hookspath", "evil"],
      ["core.worktree", "/home/u/x"],
      ["core.gitproxy", "x"],
      ["credential.helper", "store"],
      ["credential.https://example.com.username", "u"],
      ["http.extraheader", "Authorization: basic x"],
      ["http.https://github.com/.extraheader", "AUTHORIZATION: basic x"],
      ["http.proxy", "http://u:p@proxy"],
      ["url.https://u:p@example.com/.insteadof", "https://example.com/"],
      ["include.path", "/home/u/secret"],
      ["includeif.gitdir:/x.path", "/home/u/secret"],
      ["filter.lfs.process", "git-lfs"],
      ["alias.x", "!evil"],
      ["remote.origin.uploadpack", "evil"],
      ["remote.origin.proxy", "http://u:p@proxy"],
      ["remote.origin.url", "ext::evil"],
      ["submodule.lib.update", "!evil"],
      ["gpg.program", "evil"],
      ["user.signingkey", "key"],
      ["sendemail.smtppass", "secret"],
    ];
    expect(cleanSettings([...kept, ...dropped])).toEqual(kept);
    expect(cleanSettings([["remote.o.url", "https://t@h/x"], ["remote.o.pushurl", "https://t@h/y"]])).toEqual([["remote.o.url", "https://h/x"], ["remote.o.pushurl", "https://h/y"]]);
  });
});
