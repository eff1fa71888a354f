// What Claude Code needs in its home so that `claude` starts straight at its prompt. Pure.
// Keys as read by Claude Code 2.1.331; it documents settings.json
// (https://code.claude.com/docs/en/settings) but not ~/.claude.json.
import type { FileSpec, JsonMerge } from "./provision-spec.ts";

/** api-key: `x-api-key`. subscription: `authorization: Bearer`. none: a person logs in inside. */
export type ClaudeLogin = "api-key" | "subscription" | "none";

/** Modes that Claude Code may start in (https://code.claude.com/docs/en/permission-modes). */
export type PermissionMode = "default" | "acceptEdits" | "plan" | "bypassPermissions";

/**
 * Stand-ins for the credential that egress puts on outside the agent. Of a real one's form, so
 * that Claude Code takes them, and plainly none to a person who finds them.
 */
export const claudePlaceholders = {
  apiKey: "sk-ant-api03-placeholder-bottle-puts-the-real-key-on-outside-the-agent",
  oauthToken: "sk-ant-oat01-placeholder-bottle-puts-the-real-token-on-outside-the-agent",
} as const;

export interface ClaudeInput {
  readonly login: ClaudeLogin;
  readonly permissionMode: PermissionMode;
  /** Installed release, such as 2.1.331. */
  readonly version: string;
  /** The agent's working directory, whose trust dialog is answered. */
  readonly workspace: string;
  /** Address of the MCP server where it asks for access; undefined: the bottle has none. */
  readonly supervise?: string;
  /** Standing instructions, host path; they become the user memory `~/.claude/CLAUDE.md`. */
  readonly prompt?: string;
}

/** Variables of the agent's container by kind of login. They hold placeholders only. */
export function claudeEnvironment(login: ClaudeLogin): Record<string, string> {
  switch (login) {
    case "api-key":
      return { ANTHROPIC_API_KEY: claudePlaceholders.apiKey };
    case "subscription":
      return { CLAUDE_CODE_OAUTH_TOKEN: claudePlaceholders.oauthToken };
    case "none":
      return {};
  }
}

/** Directory, relative to the home, where Claude Code looks for a skill of this name. */
export function claudeSkillPath(name: string): string {
  return `.claude/skills/${name}`;
}

/** Files that are wholly bottle's. */
export function claudeFiles({ prompt }: ClaudeInput): FileSpec[] {
  return prompt === undefined ? [] : [{ path: ".claude/CLAUDE.md", sourcePath: prompt }];
}

/** Files that Claude Code and people in the bottle write too: only these keys are bottle's. */
export function claudeMerges(input: ClaudeInput): JsonMerge[] {
  const { login, permissionMode, supervise, version, workspace } = input;
  return [
    {
      // Claude Code's own state: history, counters, projects, MCP servers.
      path: ".claude.json",
      set: {
        hasCompletedOnboarding: true,
        // The offer to make "auto" the default mode: the manifest has decided.
        hasSeenAutoDefaultNudge: true,
        hasSeenAutoDefaultNotice: true,
        projects: { [workspace]: { hasTrustDialogAccepted: true } },
        ...(supervise !== undefined && { mcpServers: { supervise: { type: "http", url: supervise } } }),
      },
      ...(supervise === undefined && { unset: [["mcpServers", "supervise"]] }),
      defaults: { lastOnboardingVersion: version, projects: { [workspace]: { allowedTools: [] } } },
      // It asks once whether to use a key found in the environment, and remembers its last 20 characters.
      ...(login === "api-key" ? { include: { customApiKeyResponses: { approved: [claudePlaceholders.apiKey.slice(-20)] } } } : {}),
    },
    {
      path: ".claude/settings.json",
      set: {
        permissions: { defaultMode: permissionMode },
        // The manifest is where the risk of that mode is accepted.
        ...(permissionMode === "bypassPermissions" ? { skipDangerousModePermissionPrompt: true } : {}),
      },
      defaults: { $schema: "https://json.schemastore.org/claude-code-settings.json" },
      // To ask a human needs no human's permission.
      ...(supervise !== undefined && { include: { permissions: { allow: ["mcp__supervise"] } } }),
    },
  ];
}
