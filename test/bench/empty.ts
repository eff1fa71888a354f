// An empty Pulumi program with the bottle's own runtime options: what every preview costs before it does anything.
// As `pulumi new` writes it, it loads the SDK, which no program with a resource can do without; a file without any code
// is measured beside it.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { timed } from "./processes.ts";
import type { Scratch } from "./scratch.ts";

const programs = {
  sdk: 'import * as pulumi from "@pulumi/pulumi";\nexport const stack = pulumi.getStack();\n',
  nothing: "export {};\n",
};

export class EmptyProgram {
  readonly #folder: string;
  readonly #main: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, main: string, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#main = join(folder, main);
    this.#env = env;
  }

  /** Makes it and brings it up once, so that its preview finds nothing to do. */
  static async make(scratch: Scratch): Promise<EmptyProgram> {
    const folder = join(scratch.folder, "empty");
    mkdirSync(folder);
    const { runtime, main } = parse(readFileSync(join(scratch.folder, "Pulumi.yaml"), "utf8")) as { runtime: unknown; main: string };
    writeFileSync(join(folder, "Pulumi.yaml"), stringify({ name: "empty", runtime, main }));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "empty", type: "module", dependencies: { "@pulumi/pulumi": "*" } }));
    writeFileSync(join(folder, main), programs.sdk);
    symlinkSync(join(scratch.folder, "node_modules"), join(folder, "node_modules"));
    const program = new EmptyProgram(folder, main, scratch.env);
    await program.#pulumi("stack", "init", "--no-select", "bench");
    await program.#pulumi("up", "--yes", "--skip-preview", "--stack", "bench");
    return program;
  }

  /** Seconds of one preview. */
  async preview(program: keyof typeof programs): Promise<number> {
    writeFileSync(this.#main, programs[program]);
    return (await this.#pulumi("preview", "--stack", "bench")).seconds;
  }

  #pulumi(...args: string[]) {
    return timed("pulumi", [...args, "--non-interactive"], { cwd: this.#folder, env: this.#env });
  }
}
