import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSources } from "../../components/agent/provision-sources.ts";
import type { ProvisionSpec } from "../../components/agent/provision-spec.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bt-agent-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (path: string) => join(folder, path);
const put = (path: string, content = path) => {
  mkdirSync(join(at(path), ".."), { recursive: true });
  writeFileSync(at(path), content);
};
const read = (changes: Partial<ProvisionSpec>) =>
  [...readSources({ container: "c", uid: 1, gid: 1, home: "/h", files: [], directories: [], merges: [], heads: [], ...changes }).values()].map(({ path, content, executable }) => `${path}${executable ? "*" : ""}=${content.toString()}`);

describe("what provisioning reads", () => {
  it("mirrors a directory with modes, through links, without .git", () => {
    put("skill/SKILL.md");
    put("skill/bin/run");
    chmodSync(at("skill/bin/run"), 0o755);
    put("skill/.git/config");
    put("elsewhere/shared.md");
    symlinkSync("../elsewhere/shared.md", at("skill/shared.md"));
    symlinkSync("..", at("skill/bin/up")); // a circle
    execFileSync("mkfifo", [at("skill/pipe")]);
    expect(read({ directories: [{ path: ".claude/skills/s", sourcePath: at("skill") }] })).toEqual([
      ".claude/skills/s/SKILL.md=skill/SKILL.md",
      ".claude/skills/s/bin/run*=skill/bin/run",
      ".claude/skills/s/shared.md=elsewhere/shared.md",
    ]);
  });

  it("refuses a file link that leads out of what the agent can write", () => {
    put("host/secret");
    put("workspace/prompt.md");
    symlinkSync("../host/secret", at("workspace/link.md"));
    const agentWritable = [at("workspace")];
    expect(read({ files: [{ path: "p", sourcePath: at("workspace/prompt.md") }], agentWritable })).toEqual(["p=workspace/prompt.md"]);
    expect(() => read({ files: [{ path: "p", sourcePath: at("workspace/link.md") }], agentWritable })).toThrow("is a link out of the mounted workspace");
    expect(read({ files: [{ path: "p", sourcePath: at("workspace/link.md") }] })).toEqual(["p=host/secret"]);
  });

  it("refuses a directory link that leads out, at the top or below", () => {
    put("host/id_rsa");
    put("workspace/skills/good/SKILL.md");
    symlinkSync("../../host", at("workspace/skills/evil"));
    symlinkSync("../../../host", at("workspace/skills/good/more"));
    const agentWritable = [at("workspace")];
    for (const name of ["evil", "good"]) {
      expect(() => read({ directories: [{ path: "s", sourcePath: at(`workspace/skills/${name}`) }], agentWritable })).toThrow("is a link out of the mounted workspace");
    }
  });

  it("follows a mounted workspace that is itself reached by a link", () => {
    put("real/prompt.md");
    symlinkSync("real", at("workspace"));
    expect(read({ files: [{ path: "p", sourcePath: at("workspace/prompt.md") }], agentWritable: [at("workspace")] })).toEqual(["p=real/prompt.md"]);
  });

  it.each([
    ["a missing file", { files: [{ path: "p", sourcePath: "/nowhere/prompt.md" }] }, '"/nowhere/prompt.md": cannot be read (ENOENT); mend the path in the manifest, or the file'],
    ["a directory as file", { files: [{ path: "p", sourcePath: "/" }] }, '"/": is not a file; give a regular file'],
    ["a missing directory", { directories: [{ path: "p", sourcePath: "/nowhere" }] }, '"/nowhere": is not a directory; mend bottle:agent.skills'],
    ["a path out of the home", { files: [{ path: "../p", content: "x" }] }, 'provisioning: "../p" is not a path inside the agent\'s home; rename the file'],
    ["an absolute path", { files: [{ path: "/p", content: "x" }] }, 'provisioning: "/p" is not a path'],
    ["a name of two lines", { files: [{ path: "a\nb", content: "x" }] }, 'provisioning: "a\\nb" is not a path'],
  ])("names the fault of %s", (_, changes, message) => {
    expect(() => read(changes)).toThrow(message);
  });

  it("refuses more than 64 MB", () => {
    put("skill/a", "x".repeat(40 * 2 ** 20));
    put("skill/b", "x".repeat(40 * 2 ** 20));
    expect(() => read({ directories: [{ path: "s", sourcePath: at("skill") }] })).toThrow('prompt and skills: are over 64 MB at "s/b"');
  });
});
