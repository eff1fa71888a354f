// What the policy pack says of a request, where a human decides on it.
import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { projectRoot } from "../../scripts/setup/project.ts";
import { answerOf, ask, bottle } from "../lib/e2e-cli.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { describeWith } from "../lib/parts.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "a request and the policy pack", () => {
  let project: ScratchProject;
  let stack: Stack;

  beforeAll(async () => {
    project = await scratchProject();
    cpSync(join(projectRoot, "policies"), project.path("policies"), { recursive: true });
    stack = await project.stack("held", { agent: { image: "debian:trixie-slim" }, network: { routes: [{ host: "one.bottle.test", scheme: "http" }] } });
    const up = await bottle(project, ["up", "held"]);
    expect(up.code, up.output).toBe(0);
  }, 900_000);
  afterAll(async () => await project?.dispose());

  const manifest = () => readFileSync(stack.file, "utf8");

  test("what a mandatory policy refuses is shown with rule and reason, and cannot be approved", async () => {
    const id = ask(stack, "host", { host: "*.amazonaws.com" });
    const before = manifest();
    const shown = await bottle(project, ["show", id]);
    expect(shown.code, shown.output).toBe(0);
    expect(shown.stdout).toMatch(/\[mandatory\] \[severity: high\]\s+no-broad-hosts[^]*hosts\[0\]\.host: covers a domain in which others have storage/);
    expect(shown.stdout).toContain("Cannot be approved now: the change is refused by the policy no-broad-hosts");
    expect(shown.stdout).not.toContain("bottle approve");
    const stopped = await bottle(project, ["approve", id, "--yes"]);
    expect(stopped.code, stopped.output).toBe(1);
    expect(stopped.stderr).not.toContain("pulumi up");
    expect(manifest()).toBe(before);
    expect(answerOf(stack, id)).toBeUndefined();
    expect(existsSync(join(stack.state, "audit.jsonl"))).toBe(false);
  });

  test("a team's settings of the pack hold here too", async () => {
    const id = ask(stack, "host", { host: "*.amazonaws.com" });
    const settings = project.path("policy-settings.json");
    writeFileSync(settings, JSON.stringify({ "no-broad-hosts": { enforcementLevel: "advisory" } }));
    const shown = await bottle(project, ["show", id, "--policy-pack-config", settings]);
    expect(shown.stdout).toMatch(/\[advisory\] \[severity: high\]\s+no-broad-hosts/);
    expect(shown.stdout).toContain(`bottle approve ${id}`);
  });

  test("an advisory finding is shown, and does not stop", async () => {
    const id = ask(stack, "route", { host: "two.bottle.test", auth: { variable: "FORGE_TOKEN" } });
    const approved = await bottle(project, ["approve", id, "--yes"], { FORGE_TOKEN: "made-up-for-this-test" });
    expect(approved.code, approved.output).toBe(0);
    expect(approved.stdout).toMatch(/\[advisory\] \[severity: medium\]\s+auth-narrowed[^]*routes\[1\]\.methods: is not set/);
    expect(answerOf(stack, id)).toMatchObject({ decision: "approved" });
  });

  test("a pack that lies elsewhere is named; what is no pack is an error", async () => {
    renameSync(project.path("policies"), project.path("team-rules"));
    const id = ask(stack, "host", { host: "*.amazonaws.com" });
    const env = { FORGE_TOKEN: "made-up-for-this-test" };
    const without = await bottle(project, ["show", id], env);
    expect(without.stdout).toContain(`bottle approve ${id}`);
    expect(without.stdout).not.toContain("no-broad-hosts");
    const named = await bottle(project, ["show", id, "--policy-pack", "team-rules"], env);
    expect(named.stdout).toContain("the change is refused by the policy no-broad-hosts");
    const wrong = await bottle(project, ["approve", id, "--yes", "--policy-pack", "components"], env);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/--policy-pack .*components: holds no PulumiPolicy\.yaml/);
    writeFileSync(project.path("team-rules.json"), "{}");
    const shadowed = await bottle(project, ["show", id, "--policy-pack", "team-rules"], env);
    expect(shadowed.stderr).toMatch(/team-rules\.json: Node would load it in the place of the policy pack/);
    rmSync(project.path("team-rules.json"));
  });

  test("what the manifest breaks already is not laid at the request's door", async () => {
    const env = { FORGE_TOKEN: "made-up-for-this-test" };
    writeFileSync(stack.file, manifest().replace("config:\n", "config:\n  # too broad\n").replace("    routes:", '    hosts: ["*.amazonaws.com"]\n    routes:'));
    const up = await bottle(project, ["up", "held"], env);
    expect(up.code, up.output).toBe(0);
    const id = ask(stack, "host", { host: "three.bottle.test" });
    const shown = await bottle(project, ["show", id, "--policy-pack", "team-rules"], env);
    expect(shown.stdout).toContain("Cannot be approved now: the manifest as it is breaks the policy no-broad-hosts");
  });
});
