// What the policy pack says of a request, where a human decides on it.
import { cpSync, readFileSync } from "node:fs";
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
    console.log(shown.output);
    const stopped = await bottle(project, ["approve", id, "--yes"]);
    console.log(stopped.stderr);
    expect(stopped.code, stopped.output).toBe(1);
    expect(manifest()).toBe(before);
    expect(answerOf(stack, id)).toBeUndefined();
  });

  test("an advisory finding is shown, and does not stop", async () => {
    const id = ask(stack, "route", { host: "two.bottle.test", auth: { variable: "FORGE_TOKEN" } });
    const approved = await bottle(project, ["approve", id, "--yes"], { FORGE_TOKEN: "made-up-for-this-test" });
    console.log(approved.output);
    expect(approved.code, approved.output).toBe(0);
  });
});
