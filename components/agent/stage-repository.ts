// A repository's history and state, without its hooks, settings and credentials.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { git, readIfThere } from "./stage-tree.ts";

/** Settings that say how files are to be read; none of them names a program or a secret. */
const keptSettings = /^(core\.(filemode|autocrlf|eol|ignorecase|symlinks|precomposeunicode|quotepath)|i18n\..*)$/;
const tracking = /^branch\..+\.(remote|merge)$/;

/**
 * Makes `<target>/.git` from the repository whose tree is at `source` (also a linked worktree, or
 * one with alternates): reachable history, every ref, the branch checked out, the index as it is.
 * Remote URLs lose their user information; everything else of the local configuration is left out.
 */
export async function stageRepository(source: string, target: string): Promise<void> {
  const directory = join(target, ".git");
  const common = resolve(source, (await git(["rev-parse", "--git-common-dir"], { cwd: source })).trimEnd());
  // By URL: over git's own transport only what refs reach is copied, not what was dropped.
  await git(["clone", "--quiet", "--mirror", "--template=", pathToFileURL(common).href, directory]);
  const inTarget = { cwd: target };
  const head = await git(["symbolic-ref", "-q", "HEAD"], { cwd: source }).then((ref) => `ref: ${ref.trim()}`, () => git(["rev-parse", "HEAD"], { cwd: source }).then((id) => id.trim()));
  writeFileSync(join(directory, "HEAD"), `${head}\n`);

  const settings = await localSettings(source);
  const format = await git(["config", "--get", "extensions.objectformat"], inTarget).then((text) => text.trim(), () => undefined);
  writeFileSync(join(directory, "config"), "");
  await set(target, "core.repositoryformatversion", format === undefined ? "0" : "1");
  if (format !== undefined) await set(target, "extensions.objectformat", format);
  await set(target, "core.bare", "false");
  for (const [key, value] of settings) {
    const remote = /^remote\.(.+)\.url$/.exec(key)?.[1];
    if (remote !== undefined) {
      await set(target, key, withoutUser(value));
      await set(target, `remote.${remote}.fetch`, `+refs/heads/*:refs/remotes/${remote}/*`);
    } else if (keptSettings.test(key) || tracking.test(key)) {
      await set(target, key, value);
    }
  }
  const exclude = readIfThere(join(common, "info", "exclude"));
  mkdirSync(join(directory, "info"), { recursive: true });
  if (exclude !== undefined) writeFileSync(join(directory, "info", "exclude"), exclude);
  await copyIndex(source, target);
}

/** `--local --no-includes`: what is set for this repository, not for the user. */
async function localSettings(source: string): Promise<[string, string][]> {
  const text = await git(["config", "--local", "--no-includes", "--null", "--list"], { cwd: source });
  return text.split("\0").filter(Boolean).map((entry) => {
    const at = entry.indexOf("\n");
    return at < 0 ? [entry, "true"] : [entry.slice(0, at), entry.slice(at + 1)];
  });
}

async function set(target: string, key: string, value: string): Promise<void> {
  await git(["config", "--file", join(target, ".git", "config"), "--replace-all", key, value]);
}

function withoutUser(url: string): string {
  // ssh's user (git@host:…) is no secret; a password or a token before the @ of a URL is.
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, (whole, scheme: string) => (/^ssh:/i.test(scheme) && !whole.slice(scheme.length).includes(":") ? whole : scheme));
}

/** Entry by entry: a copied index file would carry stat data and extensions of the host's. */
async function copyIndex(source: string, target: string): Promise<void> {
  const entries = await git(["ls-files", "-z", "--stage"], { cwd: source });
  if (entries === "") return;
  await git(["update-index", "-z", "--index-info"], { cwd: target, input: entries });
  // What is staged but not committed is reached by no ref.
  const ids = [...new Set(entries.split("\0").filter((entry) => entry && !entry.startsWith("160000")).map((entry) => entry.split(" ")[1]!))];
  const present = await git(["cat-file", "--batch-check=%(objectname) %(objecttype)"], { cwd: target, input: `${ids.join("\n")}\n` });
  const missing = present.split("\n").filter((line) => line.endsWith(" missing")).map((line) => line.split(" ")[0]!);
  if (missing.length > 0) await copyObjects(source, target, missing);
}

/** A pack on disk between the two: objects are bytes, not text. */
async function copyObjects(source: string, target: string, ids: readonly string[]): Promise<void> {
  const base = join(target, ".git", "objects", "pack", "pack");
  mkdirSync(join(target, ".git", "objects", "pack"), { recursive: true });
  await git(["pack-objects", "--quiet", base], { cwd: source, input: `${ids.join("\n")}\n` });
}
