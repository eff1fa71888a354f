// The claude preset's image on the real engine, confined as a bottle confines it.
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLAUDE_CODE_VERSION } from "../../components/manifest/schema.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";
import { claudeImage, inside, once, rig, type Rig } from "./agent-rig.ts";

describeWith(["engine", "base"], "the claude image", () => {
  let image: string;
  let agent: Rig;
  let container: string;
  beforeAll(async () => {
    image = await claudeImage();
    agent = rig();
    container = await agent.start(await agent.workspace(image), { volumes: { "/home/agent": await agent.volume(), "/workspace": await agent.volume() } });
  });
  afterAll(() => agent?.close());

  test("runs Claude Code of the pinned version without root, capabilities, network or a writable root", async () => {
    expect(await inside(container, "claude --version")).toBe(`${CLAUDE_CODE_VERSION} (Claude Code)`);
    expect(await inside(container, "id -u; id -g; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status | cut -f2 | tr '\\n' ' '")).toBe("1000\n1000\n0000000000000000 0000000000000000 1 ");
    expect(await inside(container, "touch /x /usr/x 2>/dev/null; ls /sys/class/net; pwd")).toBe("lo\n/workspace");
  });

  test("has the tools of a coding agent", async () => {
    for (const tool of ["git", "rg", "curl", "jq", "less", "python3", "pip", "node", "npm", "npx", "make", "unzip", "ps", "patch", "xz"]) {
      expect(await inside(container, `command -v ${tool} >/dev/null && ${tool} ${tool === "unzip" ? "-v" : "--version"} >/dev/null && echo ${tool}`)).toBe(tool);
    }
    expect(await inside(container, "node --version")).toMatch(/^v24\./);
    await inside(container, "python3 -m venv /tmp/venv && /tmp/venv/bin/pip --version");
    expect(await inside(container, "npm config get prefix")).toBe("/home/agent/.local");
  });

  test("owns home and workspace, and nothing in the image is written by it", async () => {
    expect(await inside(container, "touch ~/x /workspace/x && stat -c '%u %g' ~ /workspace ~/x | sort -u")).toBe("1000 1000");
    expect(await once(image, "find / -xdev -writable -not -type l -not -path '/proc/*' -not -path '/dev/*' 2>/dev/null | sort")).toBe("/home/agent\n/run/lock\n/tmp\n/var/tmp\n/workspace");
  });

  test("carries no registry, CA file or cache of the machine that built it", async () => {
    const history = await ok("docker", ["history", "--no-trunc", "--format", "{{.CreatedBy}}", image]);
    expect(history).not.toMatch(/https?:/);
    expect(await once(image, "ls /usr/local/share/ca-certificates /root /tmp /run/secrets /run/trust 2>/dev/null; find / -xdev \\( -name .npmrc -o -name pip.conf -o -name '*.whl' -not -path '/usr/share/python-wheels/*' -o -name _cacache \\) 2>/dev/null", "--user", "0")).not.toMatch(/npmrc|pip\.conf|whl|_cacache|\.crt/);
  });

  test("is no larger than what is in it", async () => {
    // 380 MB are Claude Code's one executable, 125 MB Node's, 78 MB the base.
    expect(Number(await ok("docker", ["image", "inspect", "--format", "{{.Size}}", image])) / 1e6).toBeLessThan(850);
  });

  test("stops within a second", async () => {
    const extra = await agent.start(image);
    const started = Date.now();
    await ok("docker", ["stop", "--timeout", "10", extra]);
    expect(Date.now() - started).toBeLessThan(1000);
  });

  test("runs as a uid it does not know", async () => {
    const other = await agent.start(await agent.workspace(image, undefined, 4242), { uid: 4242, volumes: { "/home/agent": await agent.volume(), "/workspace": await agent.volume() } });
    expect(await inside(other, "claude --version && touch ~/x /workspace/x && stat -c '%u %g' ~ /workspace | sort -u")).toBe(`${CLAUDE_CODE_VERSION} (Claude Code)\n4242 4242`);
    await inside(other, "cd /workspace && git init -q && git -c user.name=a -c user.email=a@x commit -q --allow-empty -m x && node -e 'require(\"os\").homedir()'");
  });
});
