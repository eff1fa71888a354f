import { describe, expect, it } from "vitest";
import { claudeEnvironment, claudeFiles, claudeMerges, claudePlaceholders, claudeSkillPath, type ClaudeInput } from "../../components/agent/claude.ts";
import { mergeJson } from "../../components/agent/provision-spec.ts";

const input: ClaudeInput = { login: "api-key", permissionMode: "acceptEdits", version: "2.1.331", workspace: "/workspace", prompt: "/host/prompt.md" };
const written = (changes: Partial<ClaudeInput> = {}, existing: Record<string, object> = {}) =>
  Object.fromEntries(claudeMerges({ ...input, ...changes }).map((merge) => [merge.path, mergeJson((existing[merge.path] ?? {}) as never, merge)]));

describe("Claude Code's files", () => {
  it("answer onboarding, trust, the API key question and the offer of another mode", () => {
    expect(written()).toEqual({
      ".claude.json": {
        lastOnboardingVersion: "2.1.331",
        hasCompletedOnboarding: true,
        hasSeenAutoDefaultNudge: true,
        hasSeenAutoDefaultNotice: true,
        projects: { "/workspace": { allowedTools: [], hasTrustDialogAccepted: true } },
        customApiKeyResponses: { approved: ["on-outside-the-agent"] },
      },
      ".claude/settings.json": {
        $schema: "https://json.schemastore.org/claude-code-settings.json",
        permissions: { defaultMode: "acceptEdits" },
      },
    });
  });

  it("approve just the last 20 characters of the placeholder, as Claude Code compares them", () => {
    expect(claudePlaceholders.apiKey.slice(-20)).toBe("on-outside-the-agent");
    expect(written({ login: "subscription" })[".claude.json"]).not.toHaveProperty("customApiKeyResponses");
  });

  it("accept the risk of bypassPermissions only in that mode", () => {
    expect(written({ permissionMode: "bypassPermissions" })[".claude/settings.json"]).toMatchObject({
      permissions: { defaultMode: "bypassPermissions" },
      skipDangerousModePermissionPrompt: true,
    });
    expect(written({ permissionMode: "plan" })[".claude/settings.json"]).not.toHaveProperty("skipDangerousModePermissionPrompt");
  });

  it("leave what Claude Code and its user wrote", () => {
    const state = {
      numStartups: 7,
      lastOnboardingVersion: "2.0.0",
      projects: { "/workspace": { allowedTools: ["Bash"], history: [1] }, "/other": { hasTrustDialogAccepted: false } },
      customApiKeyResponses: { approved: ["another"], rejected: ["x"] },
      mcpServers: { mine: { type: "http" } },
    };
    expect(written({}, { ".claude.json": state, ".claude/settings.json": { permissions: { allow: ["Bash(ls)"], defaultMode: "plan" }, model: "opus" } })).toEqual({
      ".claude.json": {
        ...state,
        hasCompletedOnboarding: true,
        hasSeenAutoDefaultNudge: true,
        hasSeenAutoDefaultNotice: true,
        projects: { "/workspace": { allowedTools: ["Bash"], history: [1], hasTrustDialogAccepted: true }, "/other": { hasTrustDialogAccepted: false } },
        customApiKeyResponses: { approved: ["another", "on-outside-the-agent"], rejected: ["x"] },
      },
      ".claude/settings.json": {
        $schema: "https://json.schemastore.org/claude-code-settings.json",
        permissions: { allow: ["Bash(ls)"], defaultMode: "acceptEdits" },
        model: "opus",
      },
    });
  });

  it("give the prompt as user memory and skills by name", () => {
    expect(claudeFiles(input)).toEqual([{ path: ".claude/CLAUDE.md", sourcePath: "/host/prompt.md" }]);
    expect(claudeFiles({ ...input, prompt: undefined })).toEqual([]);
    expect(claudeSkillPath("review")).toBe(".claude/skills/review");
  });
});

describe("Claude Code's environment", () => {
  it("holds a placeholder of the right form and nothing else", () => {
    expect(claudeEnvironment("api-key")).toEqual({ ANTHROPIC_API_KEY: expect.stringMatching(/^sk-ant-api03-placeholder-/) });
    expect(claudeEnvironment("subscription")).toEqual({ CLAUDE_CODE_OAUTH_TOKEN: expect.stringMatching(/^sk-ant-oat01-placeholder-/) });
    expect(claudeEnvironment("none")).toEqual({});
  });
});
