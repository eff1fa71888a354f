// The host's command line where a human sits at it: a real terminal, keys, an editor, a window that changes and closes.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { plainGet } from "../lib/e2e-agent.ts";
import { answerOf, ask, bottle, bottleAtTerminal } from "../lib/e2e-cli.ts";
import { containers } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { until } from "../lib/run.ts";
import type { Terminal } from "../lib/terminal.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

const [UP, DOWN, CTRL_C] = ["\x1b[A", "\x1b[B", "\x03"];
const moment = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const bells = ({ output }: Terminal) => output.split("\x07").length - 1;

describeWith(["terminal"], "bottle at a terminal, with no bottle up", () => {
  let project: Pick<ScratchProject, "folder" | "env">;
  let one: Pick<Stack, "state">;
  let two: Pick<Stack, "state">;
  let terminal: Terminal;

  beforeEach(() => {
    const folder = mkdtempSync(join(tmpdir(), "bottle-terminal-"));
    project = { folder, env: { ...process.env, PULUMI_BACKEND_URL: `file://${folder}` } };
    writeFileSync(join(folder, "Pulumi.yaml"), "name: bottle\nruntime: nodejs\n");
    for (const name of ["one", "two"]) writeFileSync(join(folder, `Pulumi.${name}.yaml`), "config: {}\n");
    [one, two] = ["one", "two"].map((name) => ({ state: join(folder, "state", name) })) as [Pick<Stack, "state">, Pick<Stack, "state">];
  });
  afterEach(async () => {
    await terminal.close();
    rmSync(project.folder, { recursive: true, force: true });
  });

  const at = (seconds: number) => ({ created_at: new Date(Date.now() + seconds * 1000).toISOString() });
  const host = (stack: Pick<Stack, "state">, name: string, content = {}) => ask(stack, "host", { host: `${name}.bottle.test` }, content);
  const file = (stack: Pick<Stack, "state">, id: string) => join(stack.state, `supervise/requests/${id}.json`);

  describe("watch", () => {
    test("names what it watches, rings once for a new request, and leaves the terminal as it was", async () => {
      terminal = bottleAtTerminal(project, ["watch"]);
      const empty = await terminal.shows("No request waits");
      expect(empty[0]).toContain("one, two");
      terminal.press("saer");
      await moment(2_500);
      expect(terminal.screen()).toEqual(empty);
      expect(terminal.output.split("\x1b[H")).toHaveLength(2);
      expect(bells(terminal)).toBe(0);
      const id = host(two, "new");
      await terminal.shows(`new: ${id} of two`);
      await moment(2_500);
      expect(bells(terminal)).toBe(1);
      terminal.press("q");
      expect(await terminal.ended()).toEqual({ code: 0, sane: true });
    });

    test("keeps the chosen request chosen, whatever comes, goes, or is decided elsewhere", async () => {
      const [first, second, third] = [host(one, "first", at(-30)), host(one, "second", at(-20)), host(two, "third", at(-10))];
      terminal = bottleAtTerminal(project, ["watch"]);
      const chosen = (id: string) => terminal.shows(new RegExp(`^> ${id}`, "m"));
      await chosen(first);
      terminal.press(DOWN);
      await chosen(second);
      const earlier = host(one, "earlier", at(-40));
      await terminal.shows(`new: ${earlier}`);
      await terminal.shows("Request 3 of 4");
      await chosen(second);
      rmSync(file(one, second));
      await terminal.shows(`${second} is gone`);
      await chosen(third);
      expect((await bottle(project, ["reject", third, "--why", "no"])).code).toBe(0);
      await terminal.shows(`${third} is rejected now`);
      await chosen(first);
      terminal.press(UP);
      await chosen(earlier);
      terminal.press(UP);
      await moment(300);
      await chosen(earlier);
      terminal.press(CTRL_C);
      expect(await terminal.ended()).toEqual({ code: 0, sane: true });
    });

    test("rejects with a reason, and not without one", async () => {
      const id = host(one, "a");
      terminal = bottleAtTerminal(project, ["watch", "one"]);
      await terminal.shows("Request 1 of 1");
      for (const [answer, outcome] of [["\n", "the agent needs a reason"], [CTRL_C, "nothing was done"], ["use the mirror\n", `${id} is rejected`]] as const) {
        const from = terminal.output.length;
        terminal.press("r");
        await terminal.says(`Why is ${id} rejected?`, { from });
        terminal.press(answer);
        await terminal.says(outcome, { from });
        await terminal.says("goes back to the list", { from });
        const back = terminal.output.length;
        terminal.press("\n");
        await terminal.shows(answer.startsWith("use") ? "No request waits" : "Request 1 of 1", { from: back });
      }
      expect(answerOf(one, id)).toMatchObject({ decision: "rejected", why: "use the mirror" });
      terminal.press("q");
      expect(await terminal.ended()).toEqual({ code: 0, sane: true });
    });

    test("fits its window, also while that changes, and a long list scrolls with the chosen request", async () => {
      for (let each = 0; each < 40; each++) host(one, `host-${each}`, at(each - 60));
      terminal = bottleAtTerminal(project, ["watch"], { rows: 10, columns: 60 });
      await terminal.shows("Request 1 of 40");
      terminal.press(DOWN.repeat(30));
      const scrolled = await terminal.shows(/^> \S+ +one .*host-30\.bottle\.test/m);
      expect(scrolled.length).toBeLessThanOrEqual(10);
      for (const [rows, columns] of [[4, 30], [2, 20], [1, 12], [40, 120]] as const) {
        await terminal.resize(rows, columns);
        await until(`the view fits ${rows} × ${columns}`, () => {
          const lines = terminal.screen();
          return lines.length <= rows && (rows < 40 || lines.length > 30) && lines.every((line) => line.length <= columns) && lines.some((line) => line.startsWith(">"));
        });
      }
      await terminal.shows(/^> \S+ +one .*host-30\.bottle\.test/m);
      terminal.press("q");
      expect(await terminal.ended()).toEqual({ code: 0, sane: true });
    });

    test("shows an agent's texts inert", async () => {
      host(one, "zero\u200bwidth", { why: "\u200b\u00ad\ufeffinvisible \u{e0041}" });
      host(one, "esc", { why: "\u001b]0;mine\u0007\u001b[2J\u009b5m\u202e" });
      ask(one, "host", {}, `{"why": "\u001b[31m"}`);
      terminal = bottleAtTerminal(project, ["watch"], { columns: 200 });
      await terminal.shows("Request 1 of 3");
      terminal.press(`${DOWN}s`);
      await terminal.says("can only be rejected");
      const frames = terminal.output.slice(terminal.output.indexOf("\x1b[H"));
      expect(frames.replace(/\x1b\[(H|K|J|\?(25|7|1049)[hl]|1G|0J|\d+G)/g, "").replace(/\r?\r\n/g, "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    });

    test("told to end, it leaves the terminal as it was", async () => {
      host(one, "a");
      terminal = bottleAtTerminal(project, ["watch"]);
      await terminal.shows("Request 1 of 1");
      process.kill(terminal.pid(), "SIGTERM");
      expect(await terminal.ended()).toEqual({ code: 143, sane: true });
    });
  });

  describe("approve --edit", () => {
    const asked = { host: "a.bottle.test", methods: ["GET", "POST"], paths: ["/v1/**"] };

    test.each([
      ["allows more than was asked", 'echo "host: a.bottle.test" > "$1"', /allows more than was asked; nothing was done:\s+- methods: any, though only GET, POST was asked for\s+- paths: any/],
      ["is no YAML", 'echo "host: [" > "$1"', /the edited request: .*; nothing was done/s],
      ["is not a request", 'echo "hosts: [a.bottle.test]" > "$1"', /the edited request: .*unknown key.*; nothing was done/s],
      ["is empty", ': > "$1"', /the edited request: .*; nothing was done/s],
      ["was given up", "exit 7", /did not end well; nothing was done/],
    ])("does nothing where what is written %s", async (_, script, told) => {
      const id = ask(one, "route", asked);
      const editor = join(project.folder, "editor.sh");
      writeFileSync(editor, script);
      terminal = bottleAtTerminal(project, ["approve", id, "--edit"], { env: { VISUAL: "", EDITOR: `sh ${editor}` } });
      const { code, sane } = await terminal.ended();
      expect([code, sane]).toEqual([1, true]);
      expect(await terminal.says(told)).not.toContain("    at ");
      expect(readFileSync(join(project.folder, "Pulumi.one.yaml"), "utf8")).toBe("config: {}\n");
      expect(answerOf(one, id)).toBeUndefined();
    });
  });

  test("approve --for says of git that it has no end", async () => {
    const id = ask(one, "git-upstream", { url: "https://git.bottle.test/org/app.git" });
    terminal = bottleAtTerminal(project, ["approve", id, "--for", "2h"]);
    expect((await terminal.ended()).code).toBe(1);
    await terminal.says(`--for: ${id} asks for git, whose upstreams and branches have no end`);
  });
});

describeWith(["engine", "base", "pipelock", "pulumi", "terminal"], "a decision at a terminal", () => {
  const names = Array.from({ length: 6 }, (_, index) => `term-${index}.bottle.test`);
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let agent: string;
  let terminal: Terminal | undefined;

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    stack = await project.stack("seen", { agent: { image: "debian:trixie-slim" }, network: { routes: [{ host: names[0], scheme: "http" }] }, trust: project.trust(upstream.ca) });
    const up = await bottle(project, ["up", "seen"]);
    expect(up.code, up.output).toBe(0);
    named = await nameUpstream(stack, upstream, names);
    agent = (await containers(stack.identity.instance))["agent"]!.name;
  }, 900_000);
  afterEach(async () => await terminal?.close());
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  const status = async (host: string, path = "/") => (await plainGet(agent, `http://${host}${path}`)).status;
  const manifest = () => readFileSync(stack.file, "utf8");

  test("anything but yes is no, also a yes that came before the question", async () => {
    const id = ask(stack, "host", { host: names[1] });
    const before = manifest();
    terminal = bottleAtTerminal(project, ["approve", id]);
    await terminal.says("previewing");
    terminal.press("y\n");
    await terminal.says(`Approve ${id}? [y/N]`);
    await moment(500);
    terminal.press("n\n");
    expect(await terminal.ended()).toEqual({ code: 1, sane: true });
    await terminal.says("nothing was done");
    expect(manifest()).toBe(before);
    expect(answerOf(stack, id)).toBeUndefined();

    terminal = bottleAtTerminal(project, ["approve", id]);
    await terminal.says(`Approve ${id}? [y/N]`);
    terminal.press(CTRL_C);
    expect(await terminal.ended()).toEqual({ code: 130, sane: true });
    expect(answerOf(stack, id)).toBeUndefined();
    expect((await bottle(project, ["reject", id, "--why", "no"])).code).toBe(0);
  });

  test("a manifest that changes while the question stands is shown anew", async () => {
    const id = ask(stack, "host", { host: names[1] });
    terminal = bottleAtTerminal(project, ["approve", id]);
    await terminal.says(`Approve ${id}? [y/N]`);
    appendFileSync(stack.file, "# a word more\n");
    const from = terminal.output.length;
    terminal.press("y\n");
    await terminal.says("was changed since it was shown; here it is anew", { from });
    await terminal.says(`Approve ${id}? [y/N]`, { from });
    terminal.press("y\n");
    expect(await terminal.ended()).toEqual({ code: 0, sane: true });
    expect(manifest()).toContain("# a word more");
    expect(answerOf(stack, id)).toMatchObject({ decision: "approved" });
    expect(await status(names[1]!)).toBe(200);
  });

  test("what is narrowed in an editor that takes arguments is what is granted", async () => {
    const id = ask(stack, "route", { host: names[2], scheme: "http", methods: ["GET", "POST"], paths: ["/**"] });
    const editor = project.path("editor.sh");
    writeFileSync(editor, '[ "$1" = --wait ] && sed -i "s|- POST||; s|- /[*][*]|- /v1/*|" "$2"');
    terminal = bottleAtTerminal(project, ["approve", id, "--edit"], { env: { EDITOR: `sh ${editor} --wait`, VISUAL: undefined } });
    expect(await terminal.says(`Approve ${id}? [y/N]`)).toMatch(/allows\s+GET on term-2\.bottle\.test by http\s+paths: \/v1\/\*/);
    terminal.press("y\n");
    expect(await terminal.ended()).toEqual({ code: 0, sane: true });
    expect(answerOf(stack, id)).toMatchObject({ decision: "approved", granted: { host: names[2], methods: ["GET"], paths: ["/v1/*"] } });
    expect(await status(names[2]!, "/v1/models")).toBe(200);
    expect(await status(names[2]!, "/v2/models")).toBe(403);
  });

  test("in watch a request is shown, approved, and the list goes on", async () => {
    const id = ask(stack, "host", { host: names[3] });
    terminal = bottleAtTerminal(project, ["watch"]);
    await terminal.shows("Request 1 of 1");
    let from = terminal.output.length;
    terminal.press("s");
    await terminal.says(/\+\s+- term-3\.bottle\.test[^]*goes back to the list/, { from });
    from = terminal.output.length;
    terminal.press("\n");
    await terminal.shows(id, { from });
    from = terminal.output.length;
    terminal.press("a");
    await terminal.says(`Approve ${id}? [y/N]`, { from });
    terminal.press("y\n");
    await terminal.says(`${id} is in force`, { from });
    await terminal.says("goes back to the list", { from });
    expect(await status(names[3]!)).toBe(200);
    terminal.press("\n");
    await terminal.shows("No request waits");
    terminal.press("q");
    expect(await terminal.ended()).toEqual({ code: 0, sane: true });
  });

  /** An approval in the middle of its update. */
  async function approving(host: string): Promise<{ id: string; before: string; terminal: Terminal }> {
    const id = ask(stack, "host", { host });
    const before = manifest();
    const opened = (terminal = bottleAtTerminal(project, ["approve", id]));
    await opened.says(`Approve ${id}? [y/N]`);
    opened.press("y\n");
    await opened.says("pulumi up");
    await moment(1_000);
    return { id, before, terminal: opened };
  }

  test("Ctrl-C while it is carried out brings everything back", async () => {
    const { id, before, terminal } = await approving(names[4]!);
    terminal.press(CTRL_C);
    expect(await terminal.ended()).toEqual({ code: 130, sane: true });
    await terminal.says("was not granted, the old rules hold: was interrupted (SIGINT)");
    expect(manifest()).toBe(before);
    expect(answerOf(stack, id)).toMatchObject({ decision: "failed" });
    expect(await status(names[4]!)).toBe(403);
  });

  test("so does a window that is closed", async () => {
    const { id, before, terminal } = await approving(names[5]!);
    await terminal.close();
    await until("the agent is told", () => answerOf(stack, id) !== undefined, 120_000);
    expect(answerOf(stack, id)).toMatchObject({ decision: "failed", why: expect.stringContaining("the rules are as before") as string });
    expect(manifest()).toBe(before);
    expect(await status(names[5]!)).toBe(403);
    await stack.succeed({}, "preview", "--expect-no-changes");
  });
});
