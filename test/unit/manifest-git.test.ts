// bottle:git: what a manifest may write there, and what becomes of it.
import { describe, expect, it } from "vitest";
import { gatePath, gitUrlFault, parseGitUrl } from "../../components/manifest/git-url.ts";
import { faultsOf, manifestOf, type Config } from "./fixtures.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const ssh = { url: "git@git.example.com:org/app.git", identityFile: "~/.ssh/key" };
const https = { url: "https://git.example.com/org/app.git" };
const git = (value: object): Config => ({ git: value });
const upstreams = (...list: object[]): Config => git({ upstreams: list });
const U = "bottle:git.upstreams[0]";
const FORMS = "write ssh://git@host/path.git, git@host:path.git, https://host/path.git or file:///path";

describe("addresses", () => {
  it.each<[string, object, string]>([
    ["git@git.example.com:org/app.git", { transport: "ssh", user: "git", host: "git.example.com", path: "org/app" }, "git.example.com/org/app"],
    ["git@GIT.example.com:org/app", { transport: "ssh", user: "git", host: "git.example.com", path: "org/app" }, "git.example.com/org/app"],
    ["ssh://git@git.example.com:2222/org/app.git", { transport: "ssh", user: "git", host: "git.example.com", port: 2222, path: "org/app" }, "git.example.com_2222/org/app"],
    ["ssh://git@git.example.com:22/org/app.git", { transport: "ssh", user: "git", host: "git.example.com", path: "org/app" }, "git.example.com/org/app"],
    ["me@host:/srv/git/a.git/", { transport: "ssh", user: "me", host: "host", path: "srv/git/a" }, "host/srv/git/a"],
    ["https://git.example.com:8443/~user/a_b.c", { transport: "https", host: "git.example.com", port: 8443, path: "~user/a_b.c" }, "git.example.com_8443/~user/a_b.c"],
    ["file:///srv/repos/app.git", { transport: "file", path: "srv/repos/app" }, "file/srv/repos/app"],
    ["ssh://git@192.0.2.7/app.git", { transport: "ssh", user: "git", host: "192.0.2.7", path: "app" }, "192.0.2.7/app"],
  ])("%s", (text, expected, path) => {
    expect(parseGitUrl(text)).toEqual({ text, ...expected });
    expect(gatePath(parseGitUrl(text))).toBe(path);
  });

  it.each([
    ["", `is no address of a git repository; ${FORMS}`],
    ["../app", `is no address of a git repository; ${FORMS}`],
    ["/srv/app.git", `is no address of a git repository; ${FORMS}`],
    ["ext::sh -c id", `has a space, a control character or one that is not ASCII; ${FORMS}`],
    ["ext::sh", `names a remote helper, which could run anything; ${FORMS}`],
    ["fd::17", `names a remote helper, which could run anything; ${FORMS}`],
    ["http://git.example.com/a", "would cross the network readable and unchecked; use https or ssh"],
    ["git://git.example.com/a", "would cross the network readable and unchecked; use https or ssh"],
    ["ftp://git.example.com/a", `is of no kind that git-gate speaks; ${FORMS}`],
    ["https://me:pass@git.example.com/a", "has user information; put the token's variable under token"],
    ["ssh://me:pass@git.example.com/a", "has a password; ssh logs in with identityFile"],
    ["ssh://-oProxyCommand=id@git.example.com/a", "has a user name that is none"],
    ["ssh://git@-oProxyCommand=id/a", `has no host that git-gate takes; ${FORMS}`],
    ["-x@host:path", "has a user name that is none"],
    ["git@host:--upload-pack=id", 'has a path that git-gate does not take; letters, digits and _ . ~ + @ - are fine, .git at its end only'],
    ["git@host:a/../b", 'has a path that git-gate does not take; letters, digits and _ . ~ + @ - are fine, .git at its end only'],
    ["git@host:a.git/b.git", 'has a path that git-gate does not take; letters, digits and _ . ~ + @ - are fine, .git at its end only'],
    ["git@host:", `is no address of a git repository; ${FORMS}`],
    ["ssh://git@host/", `has no path; ${FORMS}`],
    ["ssh://git@host:99999/a", "has a port that is none"],
    ["ssh://git@localhost/a", "is git-gate's own container; name the host as other machines reach it"],
    ["ssh://git@127.0.0.1/a", "is git-gate's own container; name the host as other machines reach it"],
    ["https://169.254.169.254/a", "is a link-local address, where metadata services are; it is never allowed"],
    ["https://[::1]/a", `has no host that git-gate takes; ${FORMS}`],
    ["file://host/a", "names a host; write file:///path"],
  ])("%j is refused", (text, fault) => {
    expect(gitUrlFault(text)).toBe(fault);
  });

  it("are shown without a password", () => {
    for (const url of ["https://me:hunter2@git.example.com/a", "ssh://me:hunter2@git.example.com/a", "me:hunter2@git.example.com:a"]) {
      const faults = faultsOf(upstreams({ url })).join();
      expect(faults).toContain(`${U}.url: `);
      expect(faults).not.toContain("hunter2");
    }
  });
});

describe("one fault", () => {
  it.each<[Config, string]>([
    [upstreams({}), `${U}.url: is missing; give a string`],
    [upstreams({ ...https, nmae: "x" }), `${U}: unknown key "nmae"; known here: name, url, identityFile, knownHosts, token, push, serveStale`],
    [upstreams({ ...https, name: "My App" }), `${U}.name: "My App" is not an upstream's name; use a-z, 0-9 and -, at most 63`],
    [upstreams({ url: ssh.url }), `${U}: is reached by ssh and needs identityFile, a private key such as a deploy key`],
    [upstreams({ ...ssh, url: "git.example.com:org/app" }), `${U}.url: names nobody to log in as; write it as ssh://git@… or git@host:path`],
    [upstreams({ ...ssh, token: { variable: "T" } }), `${U}.token: has no use over ssh; put the key's path under identityFile`],
    [upstreams({ ...https, identityFile: "k" }), `${U}.identityFile: has no use over https; put the token's variable under token`],
    [upstreams({ ...https, knownHosts: KEY }), `${U}.knownHosts: has no use over https; remove it`],
    [upstreams({ ...https, push: { branches: ["main"] } }), `${U}.push: needs a token to push with; add token, or remove push`],
    [upstreams({ ...https, token: {} }), `${U}.token: needs exactly one of variable (a host variable's name) and secret (a Pulumi secret)`],
    [upstreams({ ...https, token: { variable: "ghp_0123456789abcDEF" } }), `${U}.token.variable: the value looks like a token itself; write its variable's name only, such as GITHUB_TOKEN, and revoke it where this file was shared`],
    [upstreams({ ...ssh, push: {} }), `${U}.push: allows nothing; name branches or tags, or leave the key out for a read-only upstream`],
    [upstreams({ ...ssh, push: { branches: ["refs/heads/main"] } }), `${U}.push.branches[0]: "refs/heads/main" is a whole ref; write the name alone, such as "main"`],
    [upstreams({ ...ssh, push: { branches: ["a..b"] } }), `${U}.push.branches[0]: "a..b" is not a branch's or tag's name; write it as main, agent/* (one segment) or agent/** (any depth)`],
    [upstreams({ ...ssh, push: { tags: ["v**"] } }), `${U}.push.tags[0]: "v**" has ** inside a segment; write it as agent/* (one segment) or agent/** (any depth)`],
    [upstreams({ ...ssh, knownHosts: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMq" }), `${U}.knownHosts: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMq" holds a key that is cut short or changed; copy the whole line`],
    [upstreams(ssh, { ...ssh, url: "https://git.example.com/org/app", identityFile: undefined }), "bottle:git.upstreams[1].url: is the repository of upstreams[0] too; remove one"],
    [upstreams({ ...https, name: "a" }, { url: "https://git.example.com/b", name: "a" }), 'bottle:git.upstreams[1].name: "a" is the name of upstreams[0] too; choose another'],
    [git({ signing: { identityFile: "k" } }), "bottle:git.signing: signs in git-gate, which a bottle without upstreams has not; add an upstream, or remove signing"],
    [git({ author: { name: "A <b>", email: "a@b.example" } }), 'bottle:git.author.name: "A <b>" is not a name; write one line without < and >'],
    [git({ limits: { refs: 0 } }), "bottle:git.limits.refs: is too small; give 1 or more"],
    [git({ limits: { pack: "much" } }), 'bottle:git.limits.pack: "much" is not an amount of memory; write it as 512m or 4g'],
    [{ ...upstreams({ ...https, token: { variable: "GIT_TOKEN" } }), agent: { inheritEnv: ["GIT_TOKEN"] } }, 'bottle:agent.inheritEnv[0]: GIT_TOKEN is the token of git upstream "app" and may not enter the agent too; remove it here'],
  ])("%j", (config, fault) => {
    expect(faultsOf(config)).toEqual([fault]);
  });
});

describe("what is left out is decided", () => {
  it("names are made of the URL and told apart", () => {
    const { git } = manifestOf(upstreams(https, { url: "https://git.example.com/other/App.git" }, { url: "https://git.example.com/x", name: "app-2" }));
    expect(git.upstreams.map(({ name }) => name)).toEqual(["app", "app-3", "app-2"]);
  });

  it("an upstream is read-only and never served stale", () => {
    expect(manifestOf(upstreams(https)).git.upstreams).toEqual([{ name: "app", url: parseGitUrl(https.url), serveStale: false }]);
  });

  it("what may be pushed may be neither deleted nor rewritten", () => {
    expect(manifestOf(upstreams({ ...ssh, push: { branches: ["agent/**"] } })).git.upstreams[0]!.push).toEqual({ branches: ["agent/**"], tags: [], delete: false, force: false });
  });

  it("limits are bytes", () => {
    expect(manifestOf(git({ limits: { pack: "2g", file: "300k" } })).git.limits).toMatchObject({ pack: 2 * 1024 ** 3, file: 300 * 1024, refs: 50 });
  });
});

describe("tokens", () => {
  const withSecret = upstreams({ ...https, token: { secret: "s3cret-of-git" } });

  it("as Pulumi secrets are apart from the rest", () => {
    const manifest = manifestOf(withSecret);
    expect(Object.fromEntries(manifest.gitSecrets)).toEqual({ secret_app: "s3cret-of-git" });
    expect(JSON.stringify(manifest)).not.toContain("s3cret-of-git");
  });

  it("in plain text are refused", () => {
    expect(faultsOf(withSecret, () => false)).toEqual(["bottle:git.upstreams[0].token.secret: is in plain text; set it with: pulumi config set --secret --path 'bottle:git.upstreams[0].token.secret'"]);
    expect(faultsOf(withSecret, (key) => key === "git")).toEqual([]);
  });
});
