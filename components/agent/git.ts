// Git on the host, on repositories whose configuration nobody here wrote: no hook, filter, monitor
// or network access of theirs is run.
import { spawn } from "node:child_process";

export interface GitOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Buffer;
  /** Exit codes that are an answer, not a failure. Default: 0 alone. */
  readonly codes?: readonly number[];
}

export class GitError extends Error {
  override readonly name = "GitError";
}

/** A repository's own settings that would run a program, or look at who owns it. */
const overrides = ["core.fsmonitor=false", "core.hooksPath=/dev/null", "core.untrackedCache=false", "core.logAllRefUpdates=false", "safe.directory=*"];

/**
 * Runs git and returns its standard output: bytes, as names of files need not be UTF-8.
 *
 * @throws GitError with git's own message; where git is missing, saying so.
 */
export function git(args: readonly string[], options: GitOptions = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn("git", [...overrides.flatMap((setting) => ["-c", setting]), ...args], {
      cwd: options.cwd,
      env: { ...environment(), ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on("error", () => {}); // git may end before it has read its input
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(new GitError(error.code === "ENOENT" ? "git is not installed on this machine; install it, or set workspace.mode: mount" : error.message)),
    );
    child.on("close", (code) => {
      if (code !== null && (options.codes ?? [0]).includes(code)) resolve(Buffer.concat(stdout));
      else reject(new GitError(`git ${args.find((arg) => /^[a-z]+(-[a-z]+)*$/.test(arg)) ?? ""}: ${Buffer.concat(stderr).toString().trim() || `exit code ${code}`}`));
    });
    child.stdin.end(options.input ?? "");
  });
}

/** Standard output as text without its last newline. */
export async function gitText(args: readonly string[], options: GitOptions = {}): Promise<string> {
  return (await git(args, options)).toString().replace(/\n$/, "");
}

/** The shell's environment without what would point git at another repository. */
function environment(): NodeJS.ProcessEnv {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
  return { ...env, LC_ALL: "C", GIT_NO_LAZY_FETCH: "1", GIT_NO_REPLACE_OBJECTS: "1", GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" };
}
