// The host's command line on a real bottle: requests decided, and what it shows of bottles.
import { appendFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { plainGet } from "../lib/e2e-agent.ts";
import { answerOf, ask, bottle } from "../lib/e2e-cli.ts";
import { containers, engineObjects, type Container } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, until } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "bottle, the host's command line", () => {
  const names = ["one.bottle.test", "two.bottle.test", "three.bottle.test", "four.bottle.test", "five.bottle.test", "six.bottle.test"];
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let before: Record<string, Container>;

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    // A route, so that egress is there: by it a grant's end is kept.
    stack = await project.stack("asked", {
      agent: { image: "debian:trixie-slim" },
      network: { routes: [{ host: names[0], scheme: "http" }] },
      trust: project.trust(upstream.ca),
    });
    writeFileSync(stack.file, `# what the team wrote\n${readFileSync(stack.file, "utf8")}`);
    const up = await bottle(project, ["up", "asked"]);
    expect(up.code, up.output).toBe(0);
    named = await nameUpstream(stack, upstream, names);
    before = await containers(stack.identity.instance);
  }, 900_000);
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  const status = async (host: string) => (await plainGet(before["agent"]!.name, `http://${host}/`)).status;
  const manifest = () => readFileSync(stack.file, "utf8");
  const hosts = () => (parse(manifest()) as { config: Record<string, { hosts?: unknown[] }> }).config["bottle:network"]!.hosts ?? [];

  test("a request is listed, shown with its diff and preview, approved, and the same request then passes", async () => {
    expect(await status(names[1]!)).toBe(403);
    const id = ask(stack, "host", { host: names[1] });
    expect((await bottle(project, ["requests"])).stdout).toMatch(new RegExp(`${id}\\s+asked\\s+open\\s+host\\s+two\\.bottle\\.test`));

    const text = manifest();
    const shown = await bottle(project, ["show", id]);
    expect(shown.code, shown.output).toBe(0);
    expect(shown.stdout).toContain("+    hosts:\n+      - two.bottle.test");
    expect(shown.stdout).toMatch(/asked-egress-rules\s+update/);
    expect(manifest()).toBe(text);
    expect(answerOf(stack, id)).toBeUndefined();

    const approved = await bottle(project, ["approve", id, "--yes"]);
    expect(approved.code, approved.output).toBe(0);
    expect(answerOf(stack, id)).toMatchObject({ decision: "approved", confirmed: true, granted: { host: names[1] }, until: null });
    expect(await status(names[1]!)).toBe(200);
    expect(manifest().startsWith("# what the team wrote\n")).toBe(true);
    const now = await containers(stack.identity.instance);
    for (const service of ["agent", "egress", "pipelock"]) expect(now[service]!.startedAt, service).toBe(before[service]!.startedAt);
    await stack.succeed({}, "preview", "--expect-no-changes");

    const twice = await bottle(project, ["approve", id, "--yes"]);
    expect(twice.code).toBe(1);
    expect(twice.stderr).toContain("is approved already");
  });

  test("a rejected one stays refused, and the agent reads why", async () => {
    const id = ask(stack, "host", { host: names[2] });
    expect((await bottle(project, ["reject", id, "--why", "use the mirror"])).code).toBe(0);
    expect(answerOf(stack, id)).toMatchObject({ decision: "rejected", why: "use the mirror", granted: null });
    expect(await status(names[2]!)).toBe(403);
  });

  test("one whose base has changed since it was shown is shown anew, not applied", async () => {
    const id = ask(stack, "host", { host: names[3] });
    expect((await bottle(project, ["show", id])).code).toBe(0);
    appendFileSync(stack.file, "# a word more\n");
    const stale = await bottle(project, ["approve", id, "--yes"]);
    expect(stale.code, stale.output).toBe(3);
    expect(stale.stderr).toContain("was changed since it was shown");
    expect(answerOf(stack, id)).toBeUndefined();
    expect(await status(names[3]!)).toBe(403);
    const again = await bottle(project, ["approve", id, "--yes"]);
    expect(again.code, again.output).toBe(0);
    expect(await status(names[3]!)).toBe(200);
  });

  test("other changes of the manifest are listed apart and not swept along", async () => {
    const id = ask(stack, "host", { host: names[4] });
    const text = manifest();
    writeFileSync(stack.file, text.replace("- two.bottle.test", "- two.bottle.test\n      - unasked.bottle.test"));
    const stopped = await bottle(project, ["approve", id, "--yes"]);
    expect(stopped.code).toBe(1);
    expect(stopped.stdout).toMatch(/NOT part of this approval\n\s+update asked-/);
    expect(stopped.output).toContain("bottle up asked");
    expect(answerOf(stack, id)).toBeUndefined();
    writeFileSync(stack.file, text);
  });

  test("a grant for a time ends by the clock, and the next approval tidies it", async () => {
    const id = ask(stack, "host", { host: names[4] });
    const approved = await bottle(project, ["approve", id, "--yes", "--for", "30s"]);
    expect(approved.code, approved.output).toBe(0);
    expect(hosts()).toContainEqual({ host: names[4], expires: answerOf(stack, id)!["until"] });
    expect(await status(names[4]!)).toBe(200);
    await until("the grant has ended", async () => (await status(names[4]!)) === 403, 60_000);
    const next = ask(stack, "host", { host: names[5] });
    const tidied = await bottle(project, ["approve", next, "--yes"]);
    expect(tidied.code, tidied.output).toBe(0);
    expect(tidied.stdout).toContain("tidied away");
  });

  test("what a sidecar refuses never stays: the manifest is as before, the agent is told", async () => {
    const id = ask(stack, "host", { host: "seven.bottle.test" });
    const text = manifest();
    // Without the image nobody can check the new rules: egress takes none that were not.
    const { id: container, image } = (await containers(stack.identity.instance))["egress"]!;
    const imageId = await ok("docker", ["inspect", "--format", "{{.Image}}", container]);
    await ok("docker", ["rmi", "--force", "--no-prune", image]);
    const failed = await bottle(project, ["approve", id, "--yes"]);
    expect(failed.code, failed.output).toBe(1);
    expect(answerOf(stack, id)).toMatchObject({ decision: "failed", confirmed: false });
    expect(manifest()).toBe(text);
    await ok("docker", ["tag", imageId, image]);
    expect((await bottle(project, ["up", "asked"])).code).toBe(0);
    expect(await status(names[1]!)).toBe(200);
  });

  test("malformed ones can only be rejected; a flood does not hide them; nothing steers the terminal", async () => {
    const odd = ask(stack, "host", {}, '{"format": 1, "kind": "host"');
    const large = ask(stack, "host", {}, `{"why": "${"x".repeat(70_000)}"}`);
    const esc = ask(stack, "host", { host: "evil.bottle.test" }, { why: "\u001b[2Jcleared\u202e" });
    for (let each = 0; each < 100; each++) ask(stack, "host", { host: `flood-${each}.bottle.test` });
    const list = await bottle(project, ["requests", "asked"]);
    for (const id of [odd, large, esc]) expect(list.stdout).toMatch(new RegExp(`${id}\\s+asked\\s+malformed`));
    expect(list.stdout).not.toMatch(/[\u001b\u202e]/);
    expect(list.stdout.match(/flood-/g)).toHaveLength(100);
    expect((await bottle(project, ["approve", odd, "--yes"])).stderr).toContain("can only be rejected");
    expect((await bottle(project, ["reject", odd, "--why", "unreadable"])).code).toBe(0);
    expect(answerOf(stack, odd)).toMatchObject({ decision: "rejected" });
  });

  test("one that nobody decided in time is answered so", async () => {
    const past = { created_at: new Date(Date.now() - 90_000).toISOString(), expires_at: new Date(Date.now() - 5_000).toISOString() };
    const id = ask(stack, "host", { host: "late.bottle.test" }, past);
    const late = await bottle(project, ["approve", id, "--yes"]);
    expect(late.stderr).toMatch(/expired \d+ s ago/);
    expect(answerOf(stack, id)).toMatchObject({ decision: "expired" });
  });

  test("audit verify finds what was changed afterwards, and where", async () => {
    const whole = await bottle(project, ["audit", "verify", "asked"]);
    expect(whole.code, whole.output).toBe(0);
    expect(whole.stdout).toMatch(/asked\s+audit\.jsonl\s+\d+\s+whole/);
    const file = join(stack.state, "audit.jsonl");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("use the mirror", "use another one"));
    const changed = await bottle(project, ["audit", "verify", "asked"]);
    expect(changed.code).toBe(1);
    expect(changed.stdout).toMatch(/audit\.jsonl:\d+: prev is not the hash of the line before it/);
    writeFileSync(file, text.split("\n").slice(0, -3).join("\n") + "\n");
    expect((await bottle(project, ["audit", "verify", "asked"])).stdout).toMatch(/rewritten or cut since/);
    writeFileSync(file, text);
  });

  test("ls shows it, exec runs in it; with its state lost, ls says how to take it away, and that does", async () => {
    const list = JSON.parse((await bottle(project, ["ls", "--json"])).stdout) as { instance: string }[];
    const own = list.find(({ instance }) => instance === stack.identity.instance);
    expect(own).toMatchObject({ stack: "asked", state: "up", health: "healthy", pulumi: "known", project: project.folder });
    expect((own as unknown as { pending_requests: number }).pending_requests).toBeGreaterThan(100);
    expect((await bottle(project, ["exec", "asked", "--", "sh", "-c", "echo in $0", "here"])).stdout).toBe("in here\n");
    expect((await bottle(project, ["logs", "asked", "pipelock", "--tail", "1"])).stdout).toContain("pipelock");
    expect((await bottle(project, ["down", "--lost", stack.identity.instance, "--yes"])).stderr).toContain("Pulumi knows it");

    await named?.remove();
    const checkpoint = project.path("backend/.pulumi/stacks/bottle/asked.json");
    renameSync(checkpoint, `${checkpoint}.lost`);
    const table = await bottle(project, ["ls"]);
    expect(table.stdout).toContain(`bottle down --lost ${stack.identity.instance}`);
    const reaped = await bottle(project, ["down", "--lost", stack.identity.instance, "--yes"]);
    expect(reaped.code, reaped.output).toBe(0);
    expect(await engineObjects(stack.identity.instance)).toEqual([]);
    expect(readFileSync(join(stack.state, "audit.jsonl"), "utf8")).toContain("use the mirror");
  });
});
