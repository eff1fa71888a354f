// Workspace images on the real engine: what a bottle's volumes are seeded with.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseDockerignore } from "../../components/agent/dockerignore.ts";
import { BASE_IMAGE } from "../../components/manifest/schema.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";
import { dockerignoreCases } from "../unit/agent-dockerignore-cases.ts";
import { claudeImage, inside, once, rig, type Rig } from "./agent-rig.ts";

describeWith(["engine", "base"], "the workspace image", () => {
  let image: string;
  let agent: Rig;
  const put = (source: string, path: string, content = path) => {
    mkdirSync(dirname(join(agent.folder, source, path)), { recursive: true });
    writeFileSync(join(agent.folder, source, path), content);
  };
  const git = (source: string, ...args: string[]) => execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@x", ...args], { cwd: join(agent.folder, source), encoding: "utf8" }).trimEnd();
  beforeAll(async () => {
    image = await claudeImage();
    agent = rig();
  });
  afterAll(() => agent?.close());

  test("seeds the volumes once, owned by the agent, with the same git status as outside", async () => {
    put("repo", "tracked.txt");
    put("repo", ".gitignore", ".env\n");
    put("repo", "docs/a.md");
    git("repo", "init", "-q", "-b", "trunk");
    git("repo", "add", "-A");
    git("repo", "commit", "-qm", "first");
    git("repo", "remote", "add", "origin", "https://user:SECRET@example.com/x");
    put("repo", ".dockerignore", "docs\n.git\n.env\n");
    put("repo", ".env", "SECRET");
    put("repo", "tracked.txt", "changed");
    put("repo", "private.txt", "0600");
    execFileSync("chmod", ["600", join(agent.folder, "repo/private.txt")]);
    const workspace = await agent.workspace(image, join(agent.folder, "repo"));
    const volumes = { "/home/agent": await agent.volume(), "/workspace": await agent.volume() };
    const container = await agent.start(workspace, { volumes });
    expect(await inside(container, "git status --porcelain --branch")).toBe("## trunk\n M tracked.txt\n?? .dockerignore\n?? private.txt");
    expect(await inside(container, "cat private.txt; git log --format=%s; git remote get-url origin; ls -A")).toBe("0600first\nhttps://example.com/x\n.dockerignore\n.git\n.gitignore\nprivate.txt\ntracked.txt");
    expect(await inside(container, "find /workspace /home/agent ! -uid 1000 -o ! -gid 1000; grep -r SECRET /workspace | wc -l")).toBe("0");
    await inside(container, "git commit -qam work -c user.name=a 2>/dev/null || git -c user.name=a -c user.email=a@x commit -qam work");
    // Another container on the same volume: seeded once.
    expect(await inside(await agent.start(workspace, { volumes }), "git log --format=%s")).toBe("work\nfirst");
  });

  test("gives any image both folders, a shell in it or not", async () => {
    const workspace = await agent.workspace(BASE_IMAGE, undefined, 1234);
    const container = await agent.start(workspace, { uid: 1234, volumes: { "/home/agent": await agent.volume(), "/workspace": await agent.volume() } });
    expect(await inside(container, "touch ~/x /workspace/x && stat -c '%u %g %a' ~ /workspace | sort -u; stat -c %u /home; pwd")).toBe("1234 1234 755\n0\n/workspace");
    writeFileSync(join(agent.folder, "Dockerfile"), "FROM scratch\nCOPY Dockerfile /x\n");
    const bare = `${agent.owner}:scratch`;
    await ok("docker", ["buildx", "build", "--load", "--quiet", "--label", `bottle.test=${agent.owner}`, "--tag", bare, "--file", join(agent.folder, "Dockerfile"), agent.folder]);
    expect(await agent.workspace(bare)).toMatch(/:w\d+$/);
  });

  test("takes the agent's folders over from an image that has them as another uid's", async () => {
    expect(await once(await agent.workspace(image, undefined, 4242), "stat -c '%u %g' /home/agent /workspace | sort -u; id -u")).toBe("4242 4242\n4242");
  });

  test("leaves no staging folder behind, also where the build fails", async () => {
    put("plain", "a");
    const before = staging();
    await expect(agent.workspace(`${agent.owner}:missing`, join(agent.folder, "plain"))).rejects.toThrow(new RegExp(`^image ${agent.owner}:w\\d+ with the tree of ${agent.folder}/plain: `));
    expect(staging()).toEqual(before);
  });

  test.each(dockerignoreCases)("Docker reads a .dockerignore as bottle does: $name", async ({ lines, out, stays }) => {
    const source = `ignore-${lines.join(",").replace(/[^a-z]/g, "_")}`;
    const paths = [...out, ...stays];
    for (const path of paths) put(source, path, "x");
    put(source, ".dockerignore", lines.join("\n"));
    const there = (await once(await agent.workspace(BASE_IMAGE, join(agent.folder, source)), "cd /workspace && find . -type f ! -name .dockerignore | cut -c3-")).split("\n").sort();
    const ignores = parseDockerignore(lines.join("\n"));
    expect(there).toEqual(paths.filter((path) => !ignores(path)).sort());
  });
});

const staging = () => readdirSync(tmpdir()).filter((name) => name.startsWith("bottle-workspace-"));
