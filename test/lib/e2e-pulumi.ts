// The Pulumi CLI as end-to-end tests run it: in a session of its own, so that it can be killed with all it started.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { delimiter, dirname } from "node:path";
import { bottleEnvironment } from "../../scripts/setup/environment.ts";
import { Heard } from "./heard.ts";

export interface PulumiResult {
  code: number;
  stdout: string;
  stderr: string;
  /** Standard output and error together. */
  output: string;
  /** How long it ran. */
  seconds: number;
}

export interface RunningPulumi {
  done: Promise<PulumiResult>;
  /** Settles once a piece of text stands in its output; false if it ended without it. */
  said(text: string): Promise<boolean>;
  /** SIGKILL to the CLI alone; its plugins and what they run go on until they notice. */
  killCli(): void;
  /** SIGKILL to the CLI, its plugins, the program and every command they run, as a crash of the session would. */
  killAll(): Promise<void>;
}

let base: Promise<NodeJS.ProcessEnv> | undefined;

/** This machine's environment with the pinned CLI and this very Node first on PATH, and no token or Pulumi setting of the user's. */
export async function cleanEnvironment(): Promise<NodeJS.ProcessEnv> {
  base ??= bottleEnvironment();
  const { PULUMI_CONFIG_PASSPHRASE_FILE: _file, ANTHROPIC_API_KEY: _key, CLAUDE_CODE_OAUTH_TOKEN: _token, ...environment } = await base;
  return { ...environment, PATH: `${dirname(process.execPath)}${delimiter}${environment["PATH"]}`, PULUMI_SKIP_UPDATE_CHECK: "true" };
}

/** Starts the CLI. @param timeout milliseconds after which all of it is killed and its exit code is 124 */
export function startPulumi(args: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv; timeout: number }): RunningPulumi {
  const begun = Date.now();
  // detached: a session of its own (setsid).
  const child = spawn("pulumi", [...args, "--non-interactive", "--color", "never"], { cwd: options.cwd, env: options.env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let timedOut = false;
  const heard = new Heard(child);
  const timer = setTimeout(() => ((timedOut = true), void killSession(child.pid!)), options.timeout);
  const done = new Promise<PulumiResult>((resolve) => {
    const finish = (code: number): void => {
      clearTimeout(timer);
      resolve({ code: timedOut ? 124 : code, stdout: heard.stdout, stderr: heard.stderr, output: heard.output, seconds: (Date.now() - begun) / 1000 });
    };
    child.on("error", (error) => ((heard.stderr += error.message), finish(127)));
    // Not "close": what survives a killed CLI keeps its pipes open.
    child.on("exit", (code, signal) => (signal ? finish(137) : child.on("close", () => finish(code ?? 1))));
  });
  return {
    done,
    said: (text) => heard.said(text, done),
    killCli: () => {
      orphaned.add(child.pid!);
      child.kill("SIGKILL");
    },
    killAll: async () => {
      await killSession(child.pid!);
      await done;
    },
  };
}

/** Sessions whose CLI alone was killed: its plugins stay, and what it ran goes on. */
const orphaned = new Set<number>();

/** Ends what is left of them. */
export async function reapOrphans(): Promise<void> {
  for (const session of orphaned) await killSession(session);
  orphaned.clear();
}

/** Kills every process of a session until none is left: plugins put themselves in process groups of their own. */
async function killSession(session: number): Promise<void> {
  for (;;) {
    const members = sessionMembers(session);
    if (members.length === 0) return;
    for (const pid of members) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone by itself.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Ids of a session's living processes (Linux: field 6 of /proc/PID/stat, proc(5)). */
export function sessionMembers(session: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        // The command's name, in brackets, may hold anything.
        const [state, , , sid] = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
        return Number(sid) === session && state !== "Z";
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Counts from the summary that ends `pulumi up`, `preview` and `destroy`, such as `{created: 3, unchanged: 31}`. */
export function changeCounts(output: string): Record<string, number> {
  const summary = output.slice(output.lastIndexOf("\nResources:"));
  const words: Record<string, string> = { create: "created", update: "updated", delete: "deleted", replace: "replaced" };
  const counts = [...summary.matchAll(/^\s+(?:[-+~]+ )?(\d+) (?:to )?(create|created|update|updated|delete|deleted|replace|replaced|unchanged)$/gm)];
  return Object.fromEntries(counts.map(([, count, word]) => [words[word!] ?? word!, Number(count)]));
}

/** Names of the resources that an update changed, by what was done to them: `{"agent-config": "updated"}`. */
export function changedResources(output: string): Record<string, string> {
  const lines = [...output.matchAll(/^\s*[-+~]+\s+\S+:\S+\s+(\S+) (created|updated|deleted|replaced|created replacement|deleted original)(?: \(|\s|$)/gm)];
  return Object.fromEntries(lines.map(([, name, action]) => [name!, action!]));
}
