// pipelock's own evidence: what stands in it, over reloads, crashes and destroy, and how it is checked.
import { randomInt } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { closedChain, closedChains, EVIDENCE_LIMIT, liveEvidence, recorderFiles } from "../../components/pipelock/evidence.ts";
import { plainGet } from "../lib/e2e-agent.ts";
import { bottle } from "../lib/e2e-cli.ts";
import { containers, execIn } from "../lib/e2e-engine.ts";
import { scratchProject, type Manifest, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { changedResources } from "../lib/e2e-pulumi.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, until } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

interface Recorded {
  verdict: string;
  target: string;
  layer?: string;
}

describeWith(["engine", "base", "pipelock", "pulumi"], "pipelock's evidence", () => {
  const names = ["one.bottle.test", "two.bottle.test", "three.bottle.test"];
  const secret = `AKIA${Array.from({ length: 16 }, () => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[randomInt(32)]).join("")}`;
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let evidence: string;

  const manifest = (hosts: number): Manifest => ({ agent: { image: "debian:trixie-slim" }, network: { hosts: names.slice(0, hosts) }, trust: project.trust(upstream.ca) });

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    stack = await project.stack("evid", manifest(1));
    evidence = join(stack.state, "evidence/pipelock");
    await stack.up({ timeout: 300_000 });
    named = await nameUpstream(stack, upstream, names);
  });
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  const pipelock = async () => (await containers(stack.identity.instance))["pipelock"]!;
  const get = async (name: string, path = "/") => (await plainGet(`${stack.identity.composeProject}-agent-1`, `http://${name}${path}`)).status;
  const files = () => [...closedChains(evidence).map((number) => closedChain(evidence, number)), liveEvidence(evidence)].flatMap(recorderFiles);
  /** Whole lines only: one at a full file's end is cut. */
  const recorded = (of = files()) =>
    of
      .flatMap((file) => readFileSync(file, "utf8").split("\n").slice(0, -1))
      .flatMap((line) => (JSON.parse(line) as { detail: { action_record?: Recorded } }).detail.action_record ?? []);
  const last = () => {
    const { verdict, target, layer } = recorded().at(-1)!;
    return [verdict, target, layer];
  };
  const verify = () => bottle(project, ["audit", "verify", "evid"]);
  const expectWhole = async (): Promise<void> => {
    const { code, output, stdout } = await verify();
    expect(code, output).toBe(0);
    expect(stdout).toMatch(/evid\s+evidence\/pipelock\s+\d+\s+whole/);
  };
  /** Kills what runs inside, and waits until Docker has started it again. */
  async function crash(): Promise<void> {
    const { id, startedAt } = await pipelock();
    const children = await ok("sh", ["-c", `cat /proc/$(docker inspect --format '{{.State.Pid}}' ${id})/task/*/children`]);
    await ok("kill", ["-KILL", ...children.trim().split(/\s+/)]);
    await until("pipelock is back", async () => {
      const now = await pipelock();
      return now.startedAt !== startedAt && now.health === "healthy";
    }, 20_000);
  }

  test("has what was allowed and what was refused, and no secret; its files are its owner's alone", async () => {
    expect(await get(names[0]!, "/allowed")).toBe(200);
    expect(last()).toEqual(["allow", `http://${names[0]}/allowed`, undefined]);
    expect(await get(names[1]!)).toBe(403);
    expect(last()).toEqual(["block", `http://${names[1]}/`, "allowlist"]);
    expect(await get(names[0]!, `/?key=${secret}`)).toBe(403);
    expect(last()).toEqual(["block", "[REDACTED]", "core_dlp"]);
    for (const file of files()) {
      expect(readFileSync(file, "utf8")).not.toContain(secret);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    await expectWhole();
  });

  test("another host after a redacted line: in force by reload, and what follows is recorded", async () => {
    const before = await pipelock();
    stack.write(manifest(2));
    await stack.up();
    expect((await pipelock()).startedAt).toBe(before.startedAt);
    expect(await get(names[1]!, "/reloaded")).toBe(200);
    expect(last()).toEqual(["allow", `http://${names[1]}/reloaded`, undefined]);
    await expectWhole();
  });

  test("goes on after a crash, with whole chains", async () => {
    const before = recorded().length;
    await crash();
    expect(await get(names[0]!, "/after-crash")).toBe(200);
    expect(last()[1]).toBe(`http://${names[0]}/after-crash`);
    await crash();
    expect(await get(names[0]!, "/after-another")).toBe(200);
    expect(recorded()).toHaveLength(before + 2);
    await expectWhole();
    await stack.succeed({}, "preview", "--expect-no-changes");
  });

  test("a crash after a redacted line stops it: preview says so, and up mends it", async () => {
    expect(await get(names[0]!, `/?key=${secret}`)).toBe(403);
    await crash();
    const before = recorded().length;
    expect(await get(names[0]!, "/unrecorded")).toBe(200);
    expect(recorded()).toHaveLength(before);
    expect((await verify()).output).toContain("pipelock records nothing");
    expect((await stack.succeed({}, "preview")).output).toMatch(/drift: pipelock records no evidence: it cannot go on with the evidence from before its start/);
    expect(Object.keys(changedResources((await stack.up()).output))).toEqual(["evid-up"]);
    expect(await get(names[0]!, "/mended")).toBe(200);
    expect(last()[1]).toBe(`http://${names[0]}/mended`);
    await expectWhole();
    await stack.succeed({}, "preview", "--expect-no-changes");
  });

  test("a flood fills its file and nothing more; traffic goes on, and up begins anew", async () => {
    const flood = `path=$(head -c 300000 /dev/zero | tr '\\0' a)
      for round in $(seq 114); do exec 3<>/dev/tcp/proxy/8080; printf 'GET http://elsewhere.bottle.test/%s HTTP/1.1\\r\\nHost: elsewhere.bottle.test\\r\\nConnection: close\\r\\n\\r\\n' "$path" >&3; head -c 12 <&3 >/dev/null; exec 3<&-; done`;
    await execIn(`${stack.identity.composeProject}-agent-1`, `bash -c '${flood.replaceAll("'", "'\\''")}'`, { timeout: 500_000 });
    expect(statSync(files().at(-1)!).size).toBe(EVIDENCE_LIMIT);
    expect(await get(names[0]!, "/unrecorded")).toBe(200);
    expect((await stack.succeed({}, "preview")).output).toMatch(/drift: pipelock records no evidence: its evidence is at its limit of 32 MiB/);
    await stack.up();
    expect(await get(names[0]!, "/after-flood")).toBe(200);
    expect(recorded(recorderFiles(liveEvidence(evidence))).map(({ target }) => target)).toEqual([`http://${names[0]}/after-flood`]);
    const { code, output } = await verify();
    expect(code, output).toBe(0);
    expect(output).toContain("does not end with a whole line");
  });

  test("outlives destroy, is checked without its bottle, and one byte changed is found", async () => {
    await named?.remove();
    await stack.destroy();
    await expectWhole();
    const file = files()[0]!;
    writeFileSync(file, readFileSync(file, "utf8").replace("/allowed", "/Allowed"));
    const { code, output } = await verify();
    expect(code).toBe(1);
    expect(output).toMatch(/evidence\/pipelock\s+\d+\s+broken/);
    expect(output).toContain(`${file}:1: was changed`);
    writeFileSync(file, readFileSync(file, "utf8").replace("/Allowed", "/allowed"));
    await expectWhole();
  });

  test("a bottle made anew, with another key, begins a chain of its own", async () => {
    await stack.up();
    named = await nameUpstream(stack, upstream, names);
    expect(await get(names[0]!, "/again")).toBe(200);
    expect(last()[1]).toBe(`http://${names[0]}/again`);
    await expectWhole();
  });

  test("its folder deleted under it: preview names it, up makes it anew, and verify misses what was anchored", async () => {
    rmSync(join(stack.state, "evidence"), { recursive: true });
    expect((await stack.succeed({}, "preview")).output).toMatch(/drift: \S+\/evidence\/pipelock\/live is missing; `pulumi up` mends it/);
    await stack.up();
    expect(await get(names[0]!, "/anew")).toBe(200);
    expect(recorded().map(({ target }) => target)).toEqual([`http://${names[0]}/anew`]);
    await stack.succeed({}, "preview", "--expect-no-changes");
    const { code, output } = await verify();
    expect(code).toBe(1);
    expect(output).toContain("is no line of it: it was rewritten or cut since");
  });
});
