// Which of a repository's settings go into the bottle: those that its history and its files need, and
// none that holds a credential or names a program. Pure.

/** `[key, value]`, the key as `git config --list` prints it: section and key in lower case. */
export type Setting = readonly [key: string, value: string];

const section = (name: string, keys: readonly string[]) => keys.map((key) => `${name}.${key}`);
const plain = new Set([
  ...section("core", ["autocrlf", "eol", "safecrlf", "filemode", "ignorecase", "symlinks", "precomposeunicode", "sparsecheckout", "sparsecheckoutcone"]),
  ...section("user", ["name", "email"]),
  ...section("pull", ["rebase", "ff"]),
  "extensions.partialclone",
]);
/** By section: keys below a subsection. `submodule.*.update` may be a command; it stays out. */
const named: Record<string, ReadonlySet<string>> = {
  branch: new Set(["remote", "merge", "rebase"]),
  remote: new Set(["url", "pushurl", "fetch", "tagopt", "promisor", "partialclonefilter"]),
  submodule: new Set(["url", "active", "branch"]),
};

/** The settings that go in, with the credentials of their URLs taken off. */
export function cleanSettings(settings: readonly Setting[]): Setting[] {
  return settings.flatMap(([name, value]): Setting[] => {
    if (plain.has(name)) return [[name, value]];
    const first = name.indexOf(".");
    const last = name.lastIndexOf(".");
    const key = name.slice(last + 1);
    if (first === last || !named[name.slice(0, first)]?.has(key)) return [];
    if (key !== "url" && key !== "pushurl") return [[name, value]];
    const url = cleanUrl(value);
    return url === undefined ? [] : [[name, url]];
  });
}

/**
 * A remote's URL without credentials: user, password and query of http(s), the password of others.
 * Forms of URL: https://git-scm.com/docs/git-fetch#_git_urls.
 *
 * @returns undefined for what is no plain address: `ext::` and its like run commands.
 */
export function cleanUrl(url: string): string | undefined {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(?:([^/]*)@)?([^]*)$/.exec(url);
  if (scheme) {
    const [, name, user, rest] = scheme as unknown as [string, string, string | undefined, string];
    if (/^https?$/i.test(name)) return `${name}://${rest.replace(/[?#][^]*$/, "")}`;
    return user === undefined ? url : `${name}://${user.replace(/:[^]*$/, "")}@${rest}`;
  }
  return /^[A-Za-z0-9+.-]+::/.test(url) ? undefined : url;
}
