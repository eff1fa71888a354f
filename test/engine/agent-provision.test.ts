// Provisioning of running containers on the real engine, through the script that `up` runs.
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claudeFiles, claudeMerges, claudeSkillPath, type ClaudeInput } from "../../components/agent/claude.ts";
import { gitFiles, type ProvisionSpec } from "../../components/agent/provision-spec.ts";
import { BASE_IMAGE } from "../../components/manifest/schema.ts";
import { describeWith } from "../lib/parts.ts";
import { claudeImage, inside, rig, run, type Rig } from "./agent-rig.ts";

const script = new URL("../../components/agent/provision.ts", import.meta.url).pathname;

describeWith(["engine", "base"], "provisioning", () => {
  let agent: Rig;
  let claude: string;
  const at = (path: string) => join(agent.folder, path);
  const put = (path: string, content = path) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), content);
  };
  const start = async (image: string) => agent.start(await agent.workspace(image), { volumes: { "/home/agent": await agent.volume(), "/workspace": await agent.volume() } });
  const spec = (container: string, changes: Partial<ProvisionSpec> = {}): ProvisionSpec => ({ container, uid: 1000, gid: 1000, home: "/home/agent", files: [], directories: [], merges: [], heads: [], ...changes });
  const provision = (wanted: ProvisionSpec) => run(process.execPath, [script], { input: JSON.stringify(wanted), timeout: 60_000 });
  const changed = async (wanted: ProvisionSpec) => {
    const { code, stderr, stdout } = await provision(wanted);
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: "" });
    return stderr.replace(/^provisioned: /, "").trim();
  };
  beforeAll(async () => {
    agent = rig();
    claude = await claudeImage();
  });
  afterAll(() => agent?.close());

  test("puts prompt, skills, git and Claude Code's files in place, once", async () => {
    const container = await start(claude);
    put("prompt.md", "Be kind.\n");
    put("skill/SKILL.md");
    put("skill/bin/ä b $x'`.sh", "#!/bin/sh\necho ran\n");
    chmodSync(at("skill/bin/ä b $x'`.sh"), 0o755);
    put(`skill/${"long".repeat(40)}/x`);
    const input: ClaudeInput = { login: "api-key", permissionMode: "plan", version: "2.1.331", workspace: "/workspace", prompt: at("prompt.md") };
    const git = gitFiles({ "user.name": 'A "B" \\ C', "safe.directory": ["/workspace"] });
    const wanted = spec(container, { files: [...claudeFiles(input), ...git.files], heads: git.heads, merges: claudeMerges(input), directories: [{ path: claudeSkillPath("s"), sourcePath: at("skill") }] });
    expect(await changed(wanted)).toMatch(/^\.claude\.json, \.claude\/CLAUDE\.md, \.claude\/settings\.json, /);
    expect(await inside(container, "cat ~/.claude/CLAUDE.md; git config user.name; ~/.claude/skills/s/bin/*.sh; jq -r .permissions.defaultMode ~/.claude/settings.json")).toBe('Be kind.\nA "B" \\ C\nran\nplan');
    expect(await inside(container, "find ~ -type f -perm /077; ls -A ~/.config/bottle")).toBe("gitconfig\nprovisioned");

    const before = await inside(container, "find ~ -printf '%p %C@\\n' | sort");
    const started = Date.now();
    expect(await changed(wanted)).toBe("");
    expect(Date.now() - started).toBeLessThan(1500);
    expect(await inside(container, "find ~ -printf '%p %C@\\n' | sort")).toBe(before);

    // What the agent writes to the shared files stays; the rest of its home is not looked at.
    await inside(container, "git config --global user.name me; git config --global alias.s status; jq '.numStartups = 3' ~/.claude.json > /tmp/j && cp /tmp/j ~/.claude.json; echo mine > ~/mine");
    rmSync(at("skill/bin"), { recursive: true });
    put("prompt.md", "Be kinder.\n");
    expect(await changed(wanted)).toBe(".claude/CLAUDE.md, .claude/skills/s/bin/ä b $x'`.sh");
    expect(await inside(container, "cat ~/.claude/CLAUDE.md ~/mine; git config user.name; jq .numStartups ~/.claude.json; ls ~/.claude/skills/s | cut -c1-8")).toBe("Be kinder.\nmine\nme\n3\nSKILL.md\nlonglong");

    // Its own edits of bottle's files, and deletions, are put right.
    await inside(container, "echo evil >> ~/.claude/CLAUDE.md; rm ~/.claude/skills/s/SKILL.md; chmod +x ~/.config/bottle/gitconfig; echo '{broken' > ~/.claude.json");
    expect(await changed(wanted)).toBe(".claude.json, .claude.json.broken, .claude/CLAUDE.md, .claude/skills/s/SKILL.md, .config/bottle/gitconfig");
    expect(await inside(container, "cat ~/.claude.json.broken; jq .hasCompletedOnboarding ~/.claude.json")).toBe("{broken\ntrue");

    // Nothing named any more: what bottle put there goes, empty directories too.
    await changed(spec(container));
    expect(await inside(container, "ls ~/.claude; ls ~/.config/bottle; cat ~/mine")).toBe("settings.json\nprovisioned\nmine");
  });

  test("needs no more than sh and tar, and never follows what the agent laid out for it", async () => {
    const container = await start(BASE_IMAGE);
    const wanted = spec(container, { files: [{ path: "PROMPT.md", content: "hello\n" }, { path: "deep/er/x", content: "x" }], merges: [{ path: "a.json", set: { b: 1 } }] });
    await changed(wanted);
    expect(await inside(container, "cat ~/PROMPT.md ~/a.json")).toBe('hello\n{\n  "b": 1\n}');
    // A list of ours that the agent forged names files outside the home, and links stand where files should.
    await inside(container, "echo precious > /workspace/keep; printf '../../workspace/keep\\n/workspace/keep\\na/../../../workspace/keep\\n' >> ~/.config/bottle/provisioned; rm ~/PROMPT.md; ln -s /workspace/keep ~/PROMPT.md");
    await changed(wanted);
    expect(await inside(container, "cat /workspace/keep; test -L ~/PROMPT.md || cat ~/PROMPT.md")).toBe("precious\nhello");
    expect(await changed(wanted)).toBe("");
    await inside(container, "rm ~/PROMPT.md; mkdir ~/PROMPT.md");
    expect(await provision(wanted)).toMatchObject({ code: 1, stderr: `provisioning ${container}: /home/agent/PROMPT.md is a directory inside the bottle and should be a file; remove it there\n` });
  });

  test("says what is wrong, without a stack", async () => {
    expect(await provision(spec("bt-agent-nobody"))).toMatchObject({ code: 1, stderr: expect.stringMatching(/^provisioning bt-agent-nobody: .*No such container/) });
    const container = await start(BASE_IMAGE);
    expect(await provision(spec(container, { files: [{ path: "p", sourcePath: "/nowhere" }] }))).toMatchObject({ code: 1, stderr: '"/nowhere": cannot be read (ENOENT); mend the path in the manifest, or the file\n' });
  });
});
