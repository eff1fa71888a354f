import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { candidates, register as registerCompletion } from "../../cli/commands/completion.ts";
import { register as registerLs, render } from "../../cli/commands/ls.ts";
import { register as registerShow } from "../../cli/commands/show.ts";
import { healthOf } from "../../cli/fleet/bottles.ts";
import { bytes } from "../../cli/fleet/engine.ts";
import type { Project } from "../../cli/project.ts";
import { duration } from "../../cli/requests/duration.ts";
import { readRequests } from "../../cli/requests/read.ts";
import { alone, aloneIfFree } from "../../cli/decisions/lock.ts";
import { inWords } from "../../cli/requests/words.ts";
import { plain, span } from "../../cli/terminal.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bottle-cli-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const well = { format: 1, created_at: "2026-01-01T00:00:00Z", expires_at: "2026-01-02T00:00:00Z", kind: "host", change: { host: "a.example.com" }, why: "w", for_seconds: null };
const now = Date.parse("2026-01-01T12:00:00Z");

describe("requests as they are read", () => {
  const put = (id: string, content: string) => {
    mkdirSync(join(folder, "supervise/requests"), { recursive: true });
    writeFileSync(join(folder, `supervise/requests/${id}.json`), content);
  };
  const state = (at = now) => readRequests("a", folder, at).map(({ id, state }) => `${id} ${state}`);

  it("are open until their end", () => {
    put("raaaaaaa", JSON.stringify({ ...well, id: "raaaaaaa" }));
    expect(state()).toEqual(["raaaaaaa open"]);
    expect(state(now + 86_400_000)).toEqual(["raaaaaaa expired"]);
  });

  it.each([
    ["no JSON", "{"],
    ["another id", JSON.stringify({ ...well, id: "rbbbbbbb" })],
    ["an unknown key", JSON.stringify({ ...well, id: "raaaaaaa", approved: true })],
    ["a key of the manifest that is not the agent's to ask for", JSON.stringify({ ...well, id: "raaaaaaa", change: { host: "a.example.com", private: ["10.0.0.0/8"] } })],
    ["a host that the manifest refuses", JSON.stringify({ ...well, id: "raaaaaaa", change: { host: "*" } })],
    ["an end in the change itself", JSON.stringify({ ...well, id: "raaaaaaa", change: { host: "a.example.com", expires: "2099-01-01T00:00:00Z" } })],
    ["a size beyond all", JSON.stringify({ ...well, id: "raaaaaaa", why: "x".repeat(70_000) })],
  ])("are malformed with %s", (_what, content) => {
    put("raaaaaaa", content);
    expect(state()).toEqual(["raaaaaaa malformed"]);
  });

  it("are not read through a link, and other files are none", () => {
    put("raaaaaaa", JSON.stringify({ ...well, id: "raaaaaaa" }));
    put("../x", "{}");
    put("r1234567890", "{}");
    symlinkSync(join(folder, "supervise/requests/raaaaaaa.json"), join(folder, "supervise/requests/rbbbbbbb.json"));
    expect(state().sort()).toEqual(["raaaaaaa open", "rbbbbbbb malformed"]);
  });
});

describe("words", () => {
  it("say what a rule allows, however narrow it reads", () => {
    expect(inWords({ kind: "host", change: { host: "*.example.com", inspect: false } }).join(" ")).toMatch(/EVERY host under example\.com.*NOT inspected/);
    expect(inWords({ kind: "route", change: { host: "a.example.com" } })).toEqual(["ANY method on a.example.com by https", "ANY path"]);
  });

  it("carry nothing that steers a terminal", () => {
    expect(plain("a\u001b[2Jb\u202e\r\nc\u0007")).toBe("ab c");
  });

  it("are short for time and size", () => {
    expect([5_000, 600_000, 8_000_000, 400_000_000].map(span)).toEqual(["5 s", "10 min", "2 h", "4 d"]);
    expect([duration("90s"), duration("2h")]).toEqual([90_000, 7_200_000]);
    expect(() => duration("soon")).toThrow(/90s, 30m/);
    expect(bytes("12.5MiB")).toBe(12.5 * 2 ** 20);
  });
});

describe("ls", () => {
  const container = { id: "1", name: "n", service: "egress", running: true, status: "running", health: "healthy", startedAt: "", exitCode: 0 };
  it("names what is not healthy", () => {
    expect(healthOf([container])).toBe("healthy");
    expect(healthOf([container, { ...container, service: "pipelock", running: false, status: "exited", exitCode: 137 }])).toBe("pipelock exited (137)");
  });

  it("says how to take away what Pulumi does not know any more", () => {
    const text = render([{ stack: "a", instance: "12345678", state: "up", health: "healthy", pulumi: "lost", pending_requests: 2, reap: "bottle down --lost 12345678" }]);
    expect(text).toMatch(/a\s+12345678\s+up\s+healthy\s+-\s+-\s+2\s+lost\n/);
    expect(text).toContain("bottle down --lost 12345678");
  });
});

describe("completion", () => {
  it("knows commands, stacks, requests and options", () => {
    const program = new Command("bottle");
    for (const register of [registerLs, registerShow, registerCompletion]) register(program);
    writeFileSync(join(folder, "Pulumi.reviewer.yaml"), "");
    mkdirSync(join(folder, "state/reviewer/supervise/requests"), { recursive: true });
    writeFileSync(join(folder, "state/reviewer/supervise/requests/raaaaaaa.json"), JSON.stringify({ ...well, id: "raaaaaaa", created_at: "2098-01-01T00:00:00Z", expires_at: "2099-01-01T00:00:00Z" }));
    const project = { folder } as Project;
    expect(candidates(program, ["l"], project)).toEqual(["ls"]);
    expect(candidates(program, ["ls", "--"], project)).toEqual(["--json"]);
    expect(candidates(program, ["show", ""], project)).toEqual(["raaaaaaa"]);
  });
});

it("decisions on one bottle are made one at a time; who finds one under way learns whose", async () => {
  // Left behind by a process that is gone, and whose id this one has now.
  writeFileSync(join(folder, ".deciding"), JSON.stringify({ pid: process.pid, by: "somebody", since: "2026-01-01T00:00:00Z", doing: "approve raaaaaaa" }));
  await alone(folder, "approve rbbbbbbb", async () => {
    await expect(alone(folder, "reject rccccccc", async () => 1)).rejects.toThrow(new RegExp(`under way: bottle approve rbbbbbbb, of .*, process ${process.pid}, for 0 s`));
    expect(await aloneIfFree(folder, "show", async () => 1)).toBeUndefined();
  });
  expect(await alone(folder, "reject rccccccc", async () => 2)).toBe(2);
});
