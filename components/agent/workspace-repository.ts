// A repository's `.git` for the bottle, made anew: history, refs, index and harmless settings. Left
// behind: hooks, credentials, stashes, reflogs, and every object that no ref or index reaches.
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { git, gitText } from "./git.ts";
import { cleanSettings, type Setting } from "./git-config.ts";
import { renderGitConfig } from "./provision-spec.ts";

/** Heads of a merge, cherry-pick or revert that is under way, and what git keeps beside them. */
const underWay = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"];
const beside = ["MERGE_MSG", "MERGE_MODE", "info/exclude", "info/attributes", "info/sparse-checkout", "shallow"];
/** The bottle's git looks at none but its own file for these. */
const own: NodeJS.ProcessEnv = { GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" };

/**
 * Makes `target/.git` from the repository whose working tree is `source`: a plain one, a linked
 * worktree, a submodule, a shallow or partial clone, or one with alternates.
 *
 * @param hidden tracked files (one character a byte) that will not be there: marked skip-worktree.
 * @throws Error with git's message where the repository is broken.
 */
export async function stageRepository(source: string, target: string, hidden: readonly string[]): Promise<void> {
  const from = { cwd: source };
  const into = { cwd: target, env: { ...own, GIT_DIR: join(target, ".git") } };
  const pathOf = (name: string) => gitText(["rev-parse", "--path-format=absolute", "--git-path", name], from);

  const format = await gitText(["rev-parse", "--show-object-format"], from);
  await git(["init", "--quiet", "--template=", `--object-format=${format}`, target], { env: own });
  mkdirSync(join(target, ".git", "info"), { recursive: true });
  const settings = cleanSettings(await readSettings(source));
  appendFileSync(join(target, ".git", "config"), renderGitConfig(grouped(settings)));
  for (const name of [...underWay, ...beside]) {
    const path = await pathOf(name);
    if (existsSync(path)) copyFileSync(path, join(target, ".git", name));
  }

  const refs = await readRefs(source);
  const head = await readHead(source);
  const index = await stageIndex(source, target, await pathOf("index"));
  const more = underWay.flatMap((name) => (existsSync(join(target, ".git", name)) ? readFileSync(join(target, ".git", name), "utf8").trim().split("\n") : []));
  const roots = new Set([...refs.map(({ id }) => id), ...(head.id === undefined ? [] : [head.id]), ...more, ...index]);
  const partial = settings.some(([name]) => /^remote\..*\.promisor$/.test(name));
  await copyObjects(source, target, roots, partial);

  const direct = refs.filter(({ symbolic }) => symbolic === undefined);
  await git(["update-ref", "--stdin"], { ...into, input: direct.map(({ id, name }) => `create ${name} ${id}\n`).join("") });
  for (const { name, symbolic } of refs) if (symbolic !== undefined) await git(["symbolic-ref", name, symbolic], into);
  if (head.ref !== undefined) await git(["symbolic-ref", "HEAD", head.ref], into);
  else await git(["update-ref", "--no-deref", "HEAD", head.id!], into);
  if (hidden.length > 0) {
    const tracked = new Set((await git(["ls-files", "-z"], into)).toString("latin1").split("\0"));
    const input = Buffer.from(hidden.filter((name) => tracked.has(name)).map((name) => `${name}\0`).join(""), "latin1");
    await git(["update-index", "-z", "--skip-worktree", "--stdin"], { ...into, env: { ...into.env, GIT_WORK_TREE: target }, input });
  }
}

/** The repository's own settings, and its worktree's; what they include stays out. */
async function readSettings(source: string): Promise<Setting[]> {
  const files = ["config", "config.worktree"].map((name) => gitText(["rev-parse", "--path-format=absolute", "--git-path", name], { cwd: source }));
  const lists = await Promise.all(
    (await Promise.all(files)).filter(existsSync).map((file) => gitText(["config", "--file", file, "--no-includes", "--null", "--list"])),
  );
  return lists.flatMap((list) =>
    list.split("\0").filter(Boolean).map((entry): Setting => {
      const [name = "", ...value] = entry.split("\n");
      return [name, value.length === 0 ? "true" : value.join("\n")]; // a key without a value is true
    }),
  );
}

function grouped(settings: readonly Setting[]): Record<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [name, value] of settings) groups.set(name, [...(groups.get(name) ?? []), value]);
  return Object.fromEntries(groups);
}

interface Ref {
  readonly id: string;
  readonly name: string;
  readonly symbolic?: string;
}

/** Branches, tags and remote branches. */
async function readRefs(source: string): Promise<Ref[]> {
  const list = await gitText(["for-each-ref", "--format=%(objectname) %(refname) %(symref)", "refs/heads", "refs/tags", "refs/remotes"], { cwd: source });
  return list.split("\n").filter(Boolean).map((line) => {
    const [id, name, symbolic] = line.split(" ");
    return { id: id!, name: name!, ...(symbolic ? { symbolic } : {}) };
  });
}

/** The branch, born or not, or the commit that is checked out. */
async function readHead(source: string): Promise<{ readonly ref?: string; readonly id?: string }> {
  const ref = await gitText(["symbolic-ref", "--quiet", "HEAD"], { cwd: source, codes: [0, 1] });
  return ref === "" ? { id: await gitText(["rev-parse", "HEAD"], { cwd: source }) } : { ref };
}

/** Copies the index, in one piece, and returns the blobs that it names: what is staged is in no commit. */
async function stageIndex(source: string, target: string, path: string): Promise<string[]> {
  if (!existsSync(path)) return [];
  const copy = join(target, ".git", "index");
  copyFileSync(path, copy);
  // A split index leans on a second file. The source's lock and index are not touched.
  await git(["-c", "core.splitIndex=false", "update-index", "--no-split-index", "--no-untracked-cache", "--no-fsmonitor"], {
    cwd: source,
    env: { GIT_INDEX_FILE: copy },
  });
  const entries = (await git(["ls-files", "--stage", "-z"], { cwd: source, env: { GIT_INDEX_FILE: copy } })).toString("latin1").split("\0").filter(Boolean);
  return entries.flatMap((entry) => (entry.startsWith("160000") ? [] : [entry.split(" ")[1]!]));
}

/** Packs what the roots reach. Deltas are taken over, not searched for: a big repository packs in seconds. */
async function copyObjects(source: string, target: string, roots: ReadonlySet<string>, partial: boolean): Promise<void> {
  if (roots.size === 0) return;
  const base = join(target, ".git", "objects", "pack", "pack");
  mkdirSync(dirname(base), { recursive: true });
  const missing = partial ? ["--missing=allow-any"] : [];
  // git makes its temporary files in the object directory: that is ours, the source's only lends.
  const lent = await gitText(["rev-parse", "--path-format=absolute", "--git-path", "objects"], { cwd: source });
  const hash = await gitText(["pack-objects", "--revs", "--quiet", "--delta-base-offset", "--window=0", ...missing, base], {
    cwd: source,
    env: { GIT_OBJECT_DIRECTORY: join(target, ".git", "objects"), GIT_ALTERNATE_OBJECT_DIRECTORIES: `"${lent.replace(/["\\]/g, "\\$&")}"` },
    input: [...roots].map((id) => `${id}\n`).join(""),
  });
  // Tells git that what is missing was left out on purpose.
  if (partial && hash !== "") writeFileSync(`${base}-${hash}.promisor`, "");
}
