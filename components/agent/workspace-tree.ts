// Stages a user's working tree: what git would call tracked or new, never what it ignores.
import { chmodSync, constants, copyFileSync, existsSync, linkSync, lstatSync, mkdirSync, readlinkSync, realpathSync, symlinkSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { Ignores } from "./dockerignore.ts";
import { git, gitText } from "./git.ts";
import { stageRepository } from "./workspace-repository.ts";

export interface Staged {
  files: number;
  bytes: number;
}

export interface StageInput {
  /** Absolute host path. */
  readonly source: string;
  /** Folder for the files. Exists. */
  readonly tree: string;
  /** Folder for the `.git` directories, in the same places: .dockerignore files commonly name `.git`. Exists. */
  readonly repositories: string;
  /** Folder for scratch files. Exists. */
  readonly scratch: string;
  /** What the tree's .dockerignore leaves out: such tracked files are not to look deleted. */
  readonly ignores?: Ignores;
}

/**
 * Copies (by hard link where it can) every file that git tracks or would track; for a directory
 * outside any repository its .gitignore files and the user's own excludes count all the same.
 * Repositories, those nested in it too, come with their history, without their credentials.
 *
 * @throws Error where git is missing, a repository is broken, or a file cannot be read.
 */
export async function stageTree(input: StageInput): Promise<Staged> {
  const staging: Staging = { ...input, files: 0, bytes: 0, made: new Set() };
  await stageDirectory(staging, "");
  return { files: staging.files, bytes: staging.bytes };
}

interface Staging extends StageInput, Staged {
  /** Directories that are there. */
  readonly made: Set<string>;
}

/** Names are bytes, not always UTF-8: carried in strings of one character a byte. */
const onDisk = (folder: string, name: string): Buffer => Buffer.concat([Buffer.from(folder), Buffer.from(name === "" ? "" : `/${name}`, "latin1")]);
const readable = (name: string): string => Buffer.from(name, "latin1").toString();

/** @param at the directory, relative to the source; "" for the source itself. */
async function stageDirectory(staging: Staging, at: string): Promise<void> {
  const { source, tree, repositories, scratch, ignores, made } = staging;
  const cwd = onDisk(source, at).toString();
  const repository = await isRepository(cwd);
  const prefix = at === "" ? "" : `${at}/`;
  const names = (await listFiles(cwd, repository, scratch)).filter((name) => name !== ".git" && !name.startsWith(".git/"));
  const directories = new Map<string, boolean>();
  const nested: string[] = [];
  const hidden: string[] = [];
  for (const listed of names) {
    const name = prefix + listed.replace(/\/$/, "");
    const stat = parentsAreDirectories(source, name, directories) ? statOf(source, name) : undefined;
    if (stat === undefined) continue; // tracked, deleted in the tree
    if (stat.isDirectory()) {
      nested.push(name);
      continue;
    }
    if (ignores?.(readable(name))) hidden.push(name.slice(prefix.length));
    stageFile(onDisk(source, name), onDisk(tree, name), stat, staging);
  }
  if (repository) {
    const target = onDisk(repositories, at).toString();
    makeDirectories(onDisk(repositories, at), made);
    await stageRepository(cwd, target, hidden);
  }
  for (const name of nested) {
    makeDirectories(onDisk(tree, name), made);
    // A submodule that was never fetched is an empty directory.
    if (existsSync(Buffer.concat([onDisk(source, name), Buffer.from("/.git")]))) await stageDirectory(staging, name);
  }
}

/** True where the directory is the top of a repository's working tree. */
async function isRepository(directory: string): Promise<boolean> {
  if (!existsSync(join(directory, ".git"))) return false;
  const top = await gitText(["rev-parse", "--show-toplevel"], { cwd: directory, codes: [0, 128] });
  if (top !== "" && realpathSync(top) === realpathSync(directory)) return true;
  throw new Error(`bottle:agent.workspace.path: "${directory}" holds a .git that git does not take for a repository; \`git -C "${directory}" status\` says why`);
}

/** Tracked and new files, and nested repositories, relative to the directory. */
async function listFiles(directory: string, repository: boolean, scratch: string): Promise<string[]> {
  const names = (output: Buffer) => [...new Set(output.toString("latin1").split("\0").filter(Boolean))];
  const list = ["ls-files", "-z", "--others", "--exclude-standard"];
  if (repository || (await liesInRepository(directory))) return names(await git([...list, "--cached"], { cwd: directory }));
  // Outside any repository an empty one lends its rules.
  const lent = join(scratch, "empty.git");
  if (!existsSync(lent)) await git(["init", "--quiet", "--bare", "--template=", lent]);
  return names(await git(["-c", "core.bare=false", `--git-dir=${lent}`, `--work-tree=${directory}`, ...list], { cwd: directory }));
}

/** True where a repository above tracks or would track the directory. */
async function liesInRepository(directory: string): Promise<boolean> {
  if ((await gitText(["rev-parse", "--is-inside-work-tree"], { cwd: directory, codes: [0, 128] })) !== "true") return false;
  return (await gitText(["check-ignore", "--", "."], { cwd: directory, codes: [0, 1, 128] })) === "";
}

/**
 * False where a parent is no directory of the tree itself: a tracked `a/b` whose `a` has become a
 * link elsewhere is, to git, deleted, and would be a file from outside the tree.
 */
function parentsAreDirectories(root: string, name: string, known: Map<string, boolean>): boolean {
  for (let slash = name.indexOf("/"); slash >= 0; slash = name.indexOf("/", slash + 1)) {
    const parent = name.slice(0, slash);
    let is = known.get(parent);
    if (is === undefined) known.set(parent, (is = statOf(root, parent)?.isDirectory() ?? false));
    if (!is) return false;
  }
  return true;
}

function statOf(root: string, name: string): Stats | undefined {
  return lstatSync(onDisk(root, name), { throwIfNoEntry: false });
}

function stageFile(from: Buffer, to: Buffer, stat: Stats, staging: Staging): void {
  if (!stat.isFile() && !stat.isSymbolicLink()) return; // sockets, pipes, devices
  const slash = to.lastIndexOf("/");
  makeDirectories(to.subarray(0, slash), staging.made);
  if (stat.isSymbolicLink()) symlinkSync(readlinkSync(from, "buffer"), to);
  else {
    try {
      linkSync(from, to);
    } catch {
      copyFileSync(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    }
  }
  staging.files++;
  staging.bytes += stat.size;
}

/** 0755 whatever the umask: the agent's uid is another than ours. */
function makeDirectories(path: Buffer, made: Set<string>): void {
  const key = path.toString("latin1");
  if (made.has(key)) return;
  const slash = path.lastIndexOf("/");
  if (slash > 0) makeDirectories(path.subarray(0, slash), made);
  if (!existsSync(path)) {
    mkdirSync(path);
    chmodSync(path, 0o755);
  }
  made.add(key);
}
