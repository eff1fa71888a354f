// The working tree in a bottle: copied in once, worked on, saved when the bottle goes.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { containers, execIn } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "a working tree in a bottle", () => {
  let project: ScratchProject;
  let stack: Stack;
  let tree: string;

  const manifest = (workspace: Record<string, unknown>) => ({ agent: { preset: "claude", claude: { login: "none" }, workspace }, network: { hosts: ["docs.bottle.test"] } });
  const git = (...args: string[]) => ok("git", ["-c", "user.name=t", "-c", "user.email=t@bottle.test", ...args], { cwd: tree });
  const inside = async (command: string) => execIn((await containers(stack.identity.instance))["agent"]!.name, command);

  beforeAll(async () => {
    project = await scratchProject();
    tree = project.path("tree");
    mkdirSync(tree);
    writeFileSync(join(tree, ".gitignore"), "ignored/\n");
    writeFileSync(join(tree, "committed"), "committed\n");
    await git("init", "--quiet", "--initial-branch", "main");
    await git("add", ".");
    await git("commit", "--quiet", "--message", "first");
    writeFileSync(join(tree, "committed"), "changed and not committed\n");
    writeFileSync(join(tree, "new"), "new and not added\n");
    mkdirSync(join(tree, "ignored"));
    writeFileSync(join(tree, "ignored/build"), "output\n");
    stack = await project.stack("tree", manifest({ path: "tree" }));
    await stack.up({ timeout: 900_000 });
  });
  afterAll(() => project?.dispose());

  test("the agent has the tree as it stands, its history, and nothing ignored", async () => {
    const { stdout, stderr } = await inside("cat committed new; ls -A; git log --format=%s; git status --short");
    expect(stderr).toBe("");
    expect(stdout).toBe("changed and not committed\nnew and not added\n.git\n.gitignore\ncommitted\nnew\nfirst\n M committed\n?? new\n");
  });

  test("a later edit on the host changes nothing, and the agent is not touched", async () => {
    const before = await containers(stack.identity.instance);
    await inside("echo 'by the agent' > new");
    writeFileSync(join(tree, "new"), "edited on the host\n");
    await stack.up();
    expect((await inside("cat new")).stdout).toBe("by the agent\n");
    expect(await containers(stack.identity.instance)).toEqual(before);
  });

  test("destroy saves what was committed and not, for the host's own repository to fetch", async () => {
    await inside("git -c user.name=a -c user.email=a@bottle.test commit --quiet --all --message 'work of the agent' && echo loose > loose");
    await stack.destroy();
    const saved = readdirSync(stack.state).filter((name) => name.startsWith("work-"));
    expect(saved).toEqual([expect.stringMatching(/\.bundle$/)]);
    await git("fetch", "--quiet", join(stack.state, saved[0]!), "+refs/heads/*:refs/saved/*");
    expect(await git("log", "--format=%s", "refs/saved/main")).toBe("work of the agent\nfirst");
    expect(await git("show", "refs/saved/main:committed")).toBe("changed and not committed");
    expect(await git("show", "refs/saved/bottle/uncommitted:loose")).toBe("loose");
    expect(await git("show", "refs/saved/bottle/uncommitted:new")).toBe("by the agent");
  });

  test("the next bottle is seeded anew from the tree", async () => {
    await stack.up();
    expect((await inside("cat new; ls")).stdout).toBe("edited on the host\ncommitted\nnew\n");
  });

  test("another seed in the manifest: the tree as it is now, in a fresh volume", async () => {
    writeFileSync(join(tree, "new"), "edited once more\n");
    stack.write(manifest({ path: "tree", seed: 2 }));
    await stack.up();
    expect((await inside("cat new")).stdout).toBe("edited once more\n");
  });

  test("mounted: both see each other's edits, and nothing is saved or removed by destroy", async () => {
    stack.write(manifest({ path: "tree", mode: "mount" }));
    await stack.up();
    writeFileSync(join(tree, "new"), "from the host\n");
    expect((await inside("cat new")).stdout).toBe("from the host\n");
    await stack.destroy();
    expect(readFileSync(join(tree, "new"), "utf8")).toBe("from the host\n");
    expect(await stack.leftovers()).toEqual([]);
  });
});
