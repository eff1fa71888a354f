// The command `bottle` as a person runs it, and requests as supervise would hand them on.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import type { RunResult } from "../../components/machine/run.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import type { ScratchProject, Stack } from "./e2e-project.ts";
import { Heard } from "./heard.ts";
import { run } from "./run.ts";
import { Terminal, type TerminalOptions } from "./terminal.ts";

type Place = Pick<ScratchProject, "folder" | "env">;

/** Anchors are kept beside the project, not with the user's own. */
export function bottleEnvironment(project: Place): NodeJS.ProcessEnv {
  return { ...project.env, XDG_CONFIG_HOME: join(project.folder, "config"), NO_COLOR: "1" };
}

/** Runs `bottle` in a project's folder. */
export function bottle(project: Place, args: readonly string[], env: NodeJS.ProcessEnv = {}, timeout = 240_000): Promise<RunResult & { output: string }> {
  const options = { cwd: project.folder, env: { ...bottleEnvironment(project), ...env }, timeout };
  return run(process.execPath, [join(projectRoot, "cli/main.ts"), ...args], options).then((result) => ({ ...result, output: result.stdout + result.stderr }));
}

/** Runs it at a terminal. */
export function bottleAtTerminal(project: Place, args: readonly string[], options: Partial<TerminalOptions> = {}): Terminal {
  return new Terminal(process.execPath, [join(projectRoot, "cli/main.ts"), ...args], { cwd: project.folder, ...options, env: { ...bottleEnvironment(project), ...options.env } });
}

export interface RunningBottle {
  readonly pid: number;
  readonly done: Promise<RunResult & { output: string }>;
  /** Settles once a piece of text stands in its output; false if it ended without it. */
  said(text: string): Promise<boolean>;
}

/** Starts `bottle`, to be sent signals. */
export function startBottle(project: Place, args: readonly string[]): RunningBottle {
  const child = spawn(process.execPath, [join(projectRoot, "cli/main.ts"), ...args], { cwd: project.folder, env: bottleEnvironment(project), stdio: ["ignore", "pipe", "pipe"] });
  const heard = new Heard(child);
  const done = new Promise<RunResult & { output: string }>((resolve) => {
    child.on("close", (code, signal) => resolve({ code: code ?? 128 + constants.signals[signal!], stdout: heard.stdout, stderr: heard.stderr, output: heard.output }));
  });
  return { pid: child.pid!, done, said: (text) => heard.said(text, done) };
}

let count = 0;

/** A request's id that is not there yet. */
export function newId(): string {
  count++;
  return `r${[...count.toString(26).padStart(7, "0")].map((digit) => "abcdefghijklmnopqrstuvwxyz"[parseInt(digit, 26)]).join("")}`;
}

/** Writes a request's file. @param content over a well-formed one, or the file's whole text */
export function ask(stack: Pick<Stack, "state">, kind: string, change: object, content: object | string = {}): string {
  const id = newId();
  const folder = join(stack.state, "supervise/requests");
  mkdirSync(folder, { recursive: true });
  const now = Date.now();
  const request = { format: 1, id, created_at: new Date(now).toISOString(), expires_at: new Date(now + 86_400_000).toISOString(), kind, change, why: "the tests need it", for_seconds: null };
  writeFileSync(join(folder, `${id}.json`), typeof content === "string" ? content : JSON.stringify({ ...request, ...content }));
  return id;
}

export function answerOf(stack: Pick<Stack, "state">, id: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(readFileSync(join(stack.state, `supervise/answers/${id}.json`), "utf8")) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
