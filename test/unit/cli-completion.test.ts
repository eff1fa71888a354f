// Tab completion as a shell does it, with the command on PATH as `npm run -s env` puts it there.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { projectRoot } from "../../scripts/setup/project.ts";
import { temporaryFolder } from "./fixtures.ts";

/** What bash offers for words of which the last is unfinished. */
function offered(cwd: string, ...words: string[]): string[] {
  const script = `eval "$(bottle completion bash)"; COMP_WORDS=(bottle "$@"); COMP_CWORD=$#; _bottle; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...process.env, PATH: `${join(projectRoot, "bin")}:${process.env["PATH"]}` };
  return execFileSync("bash", ["-c", script, "bash", ...words], { cwd, env, encoding: "utf8" }).split("\n").filter(Boolean);
}

it("bash completes commands, stacks and options", () => {
  const project = temporaryFolder();
  writeFileSync(join(project, "Pulumi.yaml"), "name: bottle\nruntime: nodejs\n");
  for (const stack of ["reviewer", "implementer"]) writeFileSync(join(project, `Pulumi.${stack}.yaml`), "config: {}\n");
  expect(offered(project, "a")).toEqual(["attach", "approve", "audit"]);
  expect(offered(project, "up", "")).toEqual(["implementer", "reviewer"]);
  expect(offered(project, "logs", "r")).toEqual(["reviewer"]);
  expect(offered(project, "approve", "--e")).toEqual(["--edit"]);
  expect(offered(project, "audit", "v")).toEqual(["verify"]);
}, 60_000);
