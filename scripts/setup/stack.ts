import { constants, copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { bottleEnvironment } from "./environment.ts";
import { lastLines, run } from "./exec.ts";
import { type Part, SetupError } from "./part.ts";
import { projectRoot } from "./project.ts";

/**
 * The stack and its manifest: Pulumi.<stack>.yaml is copied from examples/<stack>.yaml if it is not there, the stack
 * is created in the backend if it is not there, and selected.
 */
export function stackPart(stack: string): Part {
  const name = `stack ${stack}`;
  const manifest = `Pulumi.${stack}.yaml`;
  return {
    name,
    async ensure() {
      const copied = copyManifest(name, stack, manifest);
      const env = await bottleEnvironment();
      const pulumi = (...args: string[]) => run("pulumi", [...args, "--non-interactive"], { cwd: projectRoot, env, timeout: 60_000 });
      if ((await pulumi("stack", "select", stack)).code === 0) return { changed: copied, detail: manifest };
      const created = await pulumi("stack", "select", "--create", stack);
      if (created.code !== 0) {
        throw new SetupError(name, {
          problem: `it can neither be selected nor created: ${lastLines(created.stdout + created.stderr, 4)}`,
          tried: `pulumi stack select --create ${stack}`,
          mend: "See Pulumi's words above; `pulumi whoami -v` names the backend.",
        });
      }
      return { changed: true, detail: manifest };
    },
  };
}

function copyManifest(part: string, stack: string, manifest: string): boolean {
  const target = join(projectRoot, manifest);
  if (existsSync(target)) return false;
  const examples = join(projectRoot, "examples");
  const source = join(examples, `${stack}.yaml`);
  if (!existsSync(source)) {
    const known = readdirSync(examples).filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -".yaml".length));
    throw new SetupError(part, {
      problem: `there is no manifest ${manifest}, and no example to make it from.`,
      tried: `examples/${stack}.yaml`,
      mend: `Write ${manifest} (docs/manifest.md), or take an example: ${known.join(", ")}.`,
    });
  }
  copyFileSync(source, target, constants.COPYFILE_EXCL);
  return true;
}
