// Claude Code itself, provisioned as a bottle does it, with a stand-in for the API inside its own container.
import { afterAll, beforeAll, expect, test } from "vitest";
import { claudeEnvironment, claudeMerges, type ClaudeLogin, type PermissionMode } from "../../components/agent/claude.ts";
import { provision } from "../../components/agent/provision.ts";
import { CLAUDE_CODE_VERSION } from "../../components/manifest/schema.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, until } from "../lib/run.ts";
import { claudeImage, inside, rig, run, type Rig } from "./agent-rig.ts";

/** Answers every message with "hello from afar" and writes down what it was asked. */
const api = `
const { appendFileSync } = require("fs");
require("http").createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part)).on("end", () => {
    const { "x-api-key": key, authorization } = request.headers;
    appendFileSync("/tmp/asked", JSON.stringify([request.method, request.url.split("?")[0], key ?? null, authorization ?? null]) + "\\n");
    if (!request.url.startsWith("/v1/messages")) return response.writeHead(404, { "content-type": "application/json" }).end('{"type":"error","error":{"type":"not_found_error","message":"no"}}');
    const message = { id: "msg_1", type: "message", role: "assistant", model: JSON.parse(body).model, content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } };
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (type, rest) => response.write("event: " + type + "\\ndata: " + JSON.stringify({ type, ...rest }) + "\\n\\n");
    send("message_start", { message });
    send("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
    send("content_block_delta", { index: 0, delta: { type: "text_delta", text: "hello from afar" } });
    send("content_block_stop", { index: 0 });
    send("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 2 } });
    send("message_stop", {});
    response.end();
  });
}).listen(9999, "127.0.0.1");
`;

/** Runs claude on a terminal of 120 × 40 for some seconds and prints what it drew, without control sequences. */
const terminal = `
import os, pty, re, select, struct, sys, termios, fcntl, time
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm-256color"
    os.execvp("claude", ["claude"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
seen = b""
end = time.time() + 20
while time.time() < end:
    if select.select([fd], [], [], 0.2)[0]:
        try: seen += os.read(fd, 65536)
        except OSError: break
    elif re.search(rb"\\xe2\\x9d\\xaf", seen) and time.time() > end - 16: break
os.kill(pid, 9)
text = re.sub(r"\\x1b\\[[0-9]*C", " ", seen.decode("utf8", "replace"))
print(re.sub(r"\\x1b(\\[[0-9;?<>=]*[a-zA-Z]|\\][^\\x07\\x1b]*(\\x07|\\x1b\\\\\\\\)|[()][A-Z0-9]|[=>78])", "", text))
`;

describeWith(["engine", "base"], "Claude Code in a bottle", () => {
  let agent: Rig;
  let image: string;
  beforeAll(async () => {
    agent = rig();
    image = await agent.workspace(await claudeImage());
  });
  afterAll(() => agent?.close());

  async function provisioned(login: ClaudeLogin, permissionMode: PermissionMode): Promise<{ container: string; exec: (script: string) => Promise<string> }> {
    const container = await agent.start(image, { volumes: { "/home/agent": await agent.volume(), "/workspace": await agent.volume() } });
    const merges = claudeMerges({ login, permissionMode, version: CLAUDE_CODE_VERSION, workspace: "/workspace" });
    await provision({ container, uid: 1000, gid: 1000, home: "/home/agent", files: [], directories: [], heads: [], merges });
    await ok("docker", ["exec", "--detach", container, "node", "-e", api]);
    await until("the stand-in for the API listens", async () => (await run("docker", ["exec", container, "curl", "-s", "http://127.0.0.1:9999/"])).code === 0);
    const environment = Object.entries({ ...claudeEnvironment(login), ANTHROPIC_BASE_URL: "http://127.0.0.1:9999" }).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
    return { container, exec: (script) => ok("docker", ["exec", ...environment, container, "sh", "-c", script], { timeout: 60_000 }) };
  }

  const modes: readonly [ClaudeLogin, PermissionMode, RegExp][] = [
    ["api-key", "default", /manual mode on|\? for shortcuts/],
    ["api-key", "acceptEdits", /accept edits on/],
    ["subscription", "plan", /plan mode on/],
    ["subscription", "bypassPermissions", /bypass permissions on/],
  ];
  test.each(modes)("starts straight at its prompt: login %s, mode %s", async (login, mode, shown) => {
    const { exec } = await provisioned(login, mode);
    const screen = await exec(`python3 -c ${quote(terminal)}`);
    expect(screen).toContain("❯");
    expect(screen).toMatch(shown);
    expect(screen).not.toMatch(/trust|theme|login method|custom API key|auto mode|Bypass Permissions mode|unable to connect/i);
  });

  test("asks the API with its placeholder, and nothing else", async () => {
    for (const [login, key, authorization] of [["api-key", "sk-ant-api03-placeholder-bottle-puts-the-real-key-on-outside-the-agent", null], ["subscription", null, "Bearer sk-ant-oat01-placeholder-bottle-puts-the-real-token-on-outside-the-agent"]] as const) {
      const { container, exec } = await provisioned(login, "default");
      expect(await exec("claude -p hi </dev/null")).toBe("hello from afar");
      const asked = (await inside(container, "sort -u /tmp/asked")).split("\n").map((line) => JSON.parse(line) as string[]);
      expect(asked).toContainEqual(["POST", "/v1/messages", key, authorization]);
      // What the default route must let through.
      expect(asked.map(([, path]) => path).filter((path) => !/^\/($|v1\/messages|v1\/messages\/count_tokens|v1\/models|api\/claude_code\/(settings|policy_limits))$/.test(path!) && path !== "/")).toEqual([]);
    }
  });
});

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
