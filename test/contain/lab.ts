// What attempts work with: two bottles, what lies outside them, and ways to act inside an agent.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Identity } from "../../components/identity.ts";
import type { NetworkRole, Subnet } from "../../components/subnets.ts";
import { execIn } from "../lib/e2e-engine.ts";
import type { NamedUpstream } from "../lib/e2e-upstream.ts";
import type { PulumiBottles } from "./bottles/pulumi.ts";
import type { Outside } from "./outside.ts";

/** `pulumi`: made by `pulumi up`. `engine`: the same files rendered and brought up by Compose. `open`: that, with holes. */
export type Form = "pulumi" | "engine" | "open";

/** A bottle that runs. */
export interface Bottle {
  readonly form: Form;
  readonly identity: Identity;
  readonly subnets: Record<NetworkRole, Subnet>;
  /** Its folder under `state/`. */
  readonly state: string;
  /** Name of a service's container. */
  container(service: string): string;
  /** Takes it away as a user would. @throws Error with what was said, where that fails */
  destroy(): Promise<void>;
}

/** Values that must never be seen inside an agent. */
export interface Tokens {
  /** Put on by egress at the route of `api`. */
  readonly api: string;
  /** Put on by egress for Claude. */
  readonly claude: string;
}

export interface Lab {
  /** Agent, egress, pipelock, git-gate: routes, credentials, a workspace, a git upstream. */
  readonly bottle: Bottle;
  /** Its named web server. */
  readonly named: NamedUpstream;
  /** Agent and pipelock alone: hosts only. Another bottle of the same machine. */
  readonly plain: Bottle;
  readonly outside: Outside;
  /** Takes our own containers off a bottle's networks, before it is destroyed. */
  leave(bottle: Bottle): Promise<void>;
  readonly tokens: Tokens;
  /** The repository that seeded the workspace, on this machine. */
  readonly workspace: string;
  /** Bare repository behind git-gate, on this machine; undefined where this version has no git-gate. */
  readonly gitUpstream?: string;
  /** Of form `pulumi`: the bottles' project, where attempts make stacks of their own. */
  readonly pulumi?: PulumiBottles;
  /** Folder of the test's own, where nothing may ever appear: payloads that run on the host would write here. */
  readonly trap: string;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

export interface RunOptions {
  /** Milliseconds; 60 s by default. */
  readonly timeout?: number;
  readonly env?: Record<string, string>;
  readonly input?: string;
}

/** Runs sh in an agent, as itself. */
export async function sh(bottle: Bottle, script: string, options: RunOptions = {}): Promise<Ran> {
  const { code, stdout, stderr } = await execIn(bottle.container("agent"), script, { timeout: options.timeout ?? 60_000, env: options.env, input: options.input });
  return { code, out: stdout.trim(), error: stderr.trim() };
}

const probeSource = readFileSync(join(import.meta.dirname, "inside/probe.py"), "utf8");

/** Runs an operation of inside/probe.py in an agent. @throws Error where it does not end with its line of JSON */
export async function probe<Answer = ProbeAnswer>(bottle: Bottle, operation: string, args: object, timeout = 60_000): Promise<Answer> {
  const quoted = JSON.stringify(args).replaceAll("'", "'\\''");
  const { code, out, error } = await sh(bottle, `python3 - ${operation} '${quoted}'`, { input: probeSource, timeout });
  const line = out.split("\n").at(-1) ?? "";
  if (code !== 0 || !line.startsWith("{")) throw new Error(`probe ${operation}: exit code ${code}: ${(error || out).slice(-300)}`);
  return JSON.parse(line) as Answer;
}

export interface ProbeAnswer {
  /** HTTP status; 0: no answer. */
  readonly status: number;
  readonly text: string;
  readonly stage?: string;
  readonly alpn?: string | null;
  readonly answers?: readonly { status: number; text: string }[];
}

/** Client variables that lead to the proxy, taken away. */
export const withoutProxy = "env -u HTTP_PROXY -u HTTPS_PROXY -u http_proxy -u https_proxy -u ALL_PROXY -u all_proxy -u NODE_USE_ENV_PROXY";

/** curl through the agent's own settings. @returns status (0: none), body, and what curl said */
export async function curl(bottle: Bottle, args: string, options: RunOptions = {}): Promise<{ status: number; body: string; error: string }> {
  const { out, error } = await sh(bottle, `curl -sS --max-time 20 -w '\\n%{http_code}' ${args}`, options);
  const end = out.lastIndexOf("\n");
  return { status: Number(out.slice(end + 1)) || 0, body: out.slice(0, Math.max(end, 0)), error };
}

/** A request's bytes for {@link probe}, base64: lines joined by CRLF, then an empty line and the body. */
export function bytes(lines: readonly string[], body = ""): string {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, "latin1").toString("base64");
}
