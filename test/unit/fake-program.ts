// Programs that stand in for Docker and others: first on PATH, and every call is recorded.
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./fixtures.ts";

export interface FakeProgram {
  /** Folder that holds it. */
  readonly folder: string;
  /** PATH with it first. */
  readonly path: string;
  /** Arguments of the calls so far, joined by spaces. */
  calls(): string[];
}

/**
 * Makes a program.
 *
 * @param cases by shell pattern of the joined arguments (`a *|b`): what it prints (a text), or a script of its own.
 *   The first that matches counts; a call that none matches fails with exit code 64.
 */
export function fakeProgram(name: string, cases: readonly (readonly [pattern: string, answer: string | { readonly sh: string }])[]): FakeProgram {
  const folder = temporaryFolder();
  const log = join(folder, "calls");
  const branches = cases.map(([pattern, answer], index) => {
    const escaped = pattern.replaceAll(" ", "\\ ");
    if (typeof answer !== "string") return `${escaped}) ${answer.sh} ;;`;
    writeFileSync(join(folder, `answer-${index}`), answer);
    return `${escaped}) cat '${join(folder, `answer-${index}`)}' ;;`;
  });
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' "$*" >> '${log}'\ncase "$*" in\n${branches.join("\n")}\n*) echo "unexpected call: $*" >&2; exit 64 ;;\nesac\n`);
  chmodSync(file, 0o755);
  return {
    folder,
    path: [folder, "/usr/bin", "/bin"].join(delimiter),
    calls: () => (existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : []),
  };
}

/** Sets variables of this process for the time of the test; undefined removes. */
export function withEnvironment(values: Readonly<Record<string, string | undefined>>): void {
  const before = Object.fromEntries(Object.keys(values).map((name) => [name, process.env[name]]));
  const set = (all: Readonly<Record<string, string | undefined>>) => {
    for (const [name, value] of Object.entries(all)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(values);
  onTestFinished(() => set(before));
}
