// What the tools share: what they work on, and how they answer.
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { FOR_SECONDS, WHY_MAX, type Change, type Kind } from "../../../request.ts";
import { Refused, type Requests, type State } from "../requests.ts";

/** Everything a tool may touch. */
export interface Context {
  readonly requests: Requests;
  /** Folders and files that it reads; see components/supervise/config.ts. */
  readonly paths: { readonly rules: string; readonly gate: string; readonly egressLog: string; readonly gateLog: string };
}

export type Register = (server: McpServer, context: Context) => void;

export const why = z.string().min(1).max(WHY_MAX).describe("For the human who decides: what you need it for, in one paragraph. No secrets.");
export const forSeconds = z
  .int()
  .min(FOR_SECONDS.min)
  .max(FOR_SECONDS.max)
  .optional()
  .describe("How long you need it, in seconds: 3600 is an hour. Short grants are granted more easily. Leave it out for a lasting one.");
export const hostName = z.string().max(253).describe("Exact name (api.example.com), or *.example.com for every name below it. No scheme, no port, no path.");

/** It files something that only a human can put in force. */
export const asks = { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false } as const;
export const looks = { readOnlyHint: true, openWorldHint: false } as const;

export function answer(content: object): CallToolResult {
  return { content: [{ type: "text", text: JSON.stringify(content, null, 1) }] };
}

export function refusal(message: string): CallToolResult {
  return { isError: true, content: [{ type: "text", text: message }] };
}

/** Files a request and says how to go on. */
export function file<K extends Kind>({ requests }: Context, kind: K, change: Change[K], reason: string, seconds: number | undefined): CallToolResult {
  try {
    const { request, repeated } = requests.file(kind, change, reason, seconds ?? null);
    return answer({
      id: request.id,
      status: "open",
      ...(repeated && { repeated: "this very request is open already; it was not filed again" }),
      expires_at: request.expires_at,
      next: `Nothing is allowed yet: a human decides. Call wait_for_answer with id ${request.id}, or go on with other work and look again later.`,
    });
  } catch (error) {
    if (error instanceof Refused) return refusal(error.message);
    throw error;
  }
}

/** A request with what became of it. */
export function told({ request, status, answer: given }: State): object {
  const { id, kind, change, for_seconds, created_at, expires_at } = request;
  return {
    id,
    kind,
    change,
    for_seconds,
    created_at,
    status,
    ...(status === "open" && { expires_at }),
    ...(given && { decided_at: given.decided_at, why: given.why, ...(given.decision === "approved" && { granted: given.granted, until: given.until, in_force: given.confirmed }) }),
  };
}
