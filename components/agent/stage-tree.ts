// A working tree as its owner sees it, without what git ignores and without the machine's own:
// hooks, credentials and settings of `.git` stay on the host.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { run } from "../machine/run.ts";
import { stageRepository } from "./stage-repository.ts";

/** Git asked about a tree: none of its hooks, monitors or prompts run. */
export async function git(args: readonly string[], options: { readonly cwd?: string; readonly input?: string | Buffer; readonly env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  const { code, stdout, stderr } = await run("git", ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "safe.directory=*", ...args], {
    ...options,
    env: { ...process.env, GIT_TERMINAL_PROMPT: "0", GIT_OPTIONAL_LOCKS: "0", ...options.env },
  });
  if (code !== 0) throw new Error(`git ${args.find((arg) => !arg.startsWith("-"))}: ${stderr.trim().split("\n").at(-1)}`);
  return stdout;
}

/**
 * Copies the tree at `source` into the existing folder `target`: tracked and untracked files that
 * .gitignore leaves, with modes and links; and the repository where `source` is its top.
 *
 * @throws Error where git or tar fails, with their message.
 */
export async function stageTree(source: string, target: string): Promise<void> {
  const top = await git(["rev-parse", "--show-toplevel"], { cwd: source }).then((text) => text.trimEnd(), () => undefined);
  const isTop = top !== undefined && realpathSync(top) === realpathSync(source);
  const files = top === undefined ? await looseFiles(source) : await listed(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"], source);
  const nested = top === undefined ? [] : await submodules(source);
  // A nested repository that git does not track is listed as one path with a slash at its end.
  const repositories = [...new Set([...nested, ...files.filter((path) => path.endsWith("/")).map((path) => path.slice(0, -1))])];
  await copy(source, target, files.filter((path) => !path.endsWith("/") && !repositories.includes(path)));
  for (const path of repositories) {
    if (!existsSync(join(source, path, ".git"))) continue;
    mkdirSync(join(target, path), { recursive: true });
    await stageTree(join(source, path), join(target, path));
  }
  if (isTop) await stageRepository(source, target);
}

/** Files of a folder that is in no repository; git's own engine reads its .gitignore files. */
async function looseFiles(source: string): Promise<string[]> {
  const scratch = mkdtempSync(join(tmpdir(), "bottle-git-"));
  try {
    await git(["init", "--quiet", "--bare", scratch]);
    return await listed([`--git-dir=${scratch}`, `--work-tree=${source}`, "-c", "core.bare=false", "ls-files", "-z", "--others", "--exclude-standard"], source);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function submodules(source: string): Promise<string[]> {
  const entries = (await git(["ls-files", "-z", "--stage"], { cwd: source })).split("\0");
  return entries.filter((entry) => entry.startsWith("160000 ")).map((entry) => entry.slice(entry.indexOf("\t") + 1));
}

async function listed(args: readonly string[], cwd: string): Promise<string[]> {
  return (await git(args, { cwd })).split("\0").filter(Boolean);
}

/** tar keeps modes and links; files deleted from the tree but not from the index are passed over. */
async function copy(source: string, target: string, files: readonly string[]): Promise<void> {
  const list = join(dirname(target), `.list-${process.pid}`);
  const archive = join(dirname(target), `.archive-${process.pid}`);
  try {
    writeFileSync(list, files.map((path) => `./${path}\0`).join(""));
    for (const args of [
      ["--create", "--file", archive, "--directory", source, "--null", "--no-recursion", "--ignore-failed-read", "--files-from", list],
      ["--extract", "--file", archive, "--directory", target, "--no-same-owner"],
    ]) {
      const { code, stderr } = await run("tar", args, { env: { ...process.env, COPYFILE_DISABLE: "1" } });
      // 2 with only missing files: deleted in the tree, still in the index.
      const real = stderr.split("\n").filter((line) => line && !/Cannot (stat|open): No such file|Exiting with failure status due to previous errors/.test(line) && !/^tar: .*Warning/.test(line));
      if (code !== 0 && real.length > 0) throw Object.assign(new Error(`copying ${source}: ${real[0]}`), /No space left/.test(stderr) ? { code: "ENOSPC" } : {});
    }
  } finally {
    rmSync(list, { force: true });
    rmSync(archive, { force: true });
  }
}

/** Reads a file that may be missing. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
