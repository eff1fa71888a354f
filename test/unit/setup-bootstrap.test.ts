import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { projectRoot } from "../../scripts/setup/project.ts";

/** A clone with one dependency, and an npm that only notes how it was called and "installs" that dependency. */
let clone: string;
let tools: string;
const lock = { packages: { "": {}, "node_modules/a": { version: "1.0.0" }, "node_modules/other-platform": { version: "2.0.0", optional: true } } };

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "bt-bootstrap-"));
  tools = join(clone, "tools");
  mkdirSync(join(clone, "scripts"));
  mkdirSync(tools);
  copyFileSync(join(projectRoot, "scripts/bootstrap.mjs"), join(clone, "scripts/bootstrap.mjs"));
  writeFileSync(join(clone, "package-lock.json"), JSON.stringify(lock));
  fakeNpm("mkdir -p node_modules && cp installed.json node_modules/.package-lock.json; echo added 1 package");
  writeFileSync(join(clone, "installed.json"), JSON.stringify({ packages: { "node_modules/a": { version: "1.0.0" } } }));
  writeFileSync(join(clone, "scripts/show.ts"), "const args: string[] = process.argv.slice(2); console.log(JSON.stringify({ args, path: process.env.PATH }));");
});
afterEach(() => rmSync(clone, { recursive: true, force: true }));

function fakeNpm(action: string): void {
  const file = join(tools, "npm");
  writeFileSync(file, `#!/bin/sh\necho "$*" >> "${clone}/npm.log"\n${action}\n`);
  chmodSync(file, 0o755);
}

function bootstrap(...args: string[]) {
  const env = { PATH: `${tools}:${dirname(process.execPath)}:/usr/bin:/bin` };
  return spawnSync(process.execPath, [join(clone, "scripts/bootstrap.mjs"), ...args], { env, encoding: "utf8" });
}

const npmCalls = (): string[] => (existsSync(join(clone, "npm.log")) ? readFileSync(join(clone, "npm.log"), "utf8").trim().split("\n") : []);

describe("the bootstrap", () => {
  test("installs what the lock file says, once, and keeps standard output for the script", () => {
    const first = bootstrap("scripts/show.ts", "a b", "--c");
    expect(first.stderr).toBe("bottle: installing npm dependencies from package-lock.json\n");
    expect(JSON.parse(first.stdout).args).toEqual(["a b", "--c"]);
    const second = bootstrap("scripts/show.ts");
    expect(second.stderr).toBe("");
    expect(npmCalls()).toEqual(["ci --include=dev --no-audit --no-fund --loglevel=error"]);
  });

  test("installs again where a version is another, and where a package is too many", () => {
    bootstrap("scripts/show.ts");
    writeFileSync(join(clone, "package-lock.json"), JSON.stringify({ packages: { ...lock.packages, "node_modules/a": { version: "1.0.1" } } }));
    bootstrap("scripts/show.ts");
    expect(npmCalls()).toHaveLength(2);
    writeFileSync(join(clone, "package-lock.json"), JSON.stringify({ packages: { "": {} } }));
    bootstrap("scripts/show.ts");
    expect(npmCalls()).toHaveLength(3);
  });

  test("puts the project's tools on PATH", () => {
    expect((JSON.parse(bootstrap("scripts/show.ts").stdout) as { path: string }).path.split(":")[0]).toBe(join(clone, "node_modules/.bin"));
  });

  test("an npm that fails: the part, what was tried, the mend, and nothing is run", () => {
    fakeNpm("echo 'npm error E404' >&2; exit 1");
    const { status, stdout, stderr } = bootstrap("scripts/show.ts");
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toBe(`bottle: installing npm dependencies from package-lock.json
npm error E404
bottle: npm dependencies: npm failed with exit code 1; see above.
  tried: npm ci --include=dev --no-audit --no-fund --loglevel=error
  mend:  Check npm's registry (\`npm config get registry\`, \`npm ping\`) and free disk space, and run this again.
`);
  });

  test("passes the exit code on", () => {
    writeFileSync(join(clone, "scripts/fail.ts"), "process.exit(7 as number);");
    expect(bootstrap("scripts/fail.ts").status).toBe(7);
  });

  test("passes SIGTERM on and ends as the script ends", async () => {
    writeFileSync(join(clone, "scripts/wait.ts"), "process.on('SIGTERM', () => process.exit(3)); console.log('ready'); setInterval(() => {}, 1000);");
    bootstrap("scripts/show.ts");
    const child = spawn(process.execPath, [join(clone, "scripts/bootstrap.mjs"), "scripts/wait.ts"], { env: { PATH: `${tools}:/usr/bin:/bin` } });
    const code = new Promise((resolve) => child.on("exit", resolve));
    child.stdout.once("data", () => child.kill("SIGTERM"));
    expect(await code).toBe(3);
  });
});

describe("a Node that is too old", () => {
  /** The bootstrap with a running Node that says it is 20.0.0. */
  function onOldNode(script: string) {
    const preload = join(clone, "old.cjs");
    writeFileSync(preload, "if (process.argv[1]?.endsWith('bootstrap.mjs')) Object.defineProperty(process.versions, 'node', { value: '20.0.0' });");
    return spawnSync(process.execPath, ["--require", preload, join(clone, "scripts/bootstrap.mjs"), script], { env: { PATH: `${tools}:/usr/bin:/bin` }, encoding: "utf8" });
  }
  const pinned = /const nodeVersion = "([^"]+)"/.exec(readFileSync(join(projectRoot, "scripts/bootstrap.mjs"), "utf8"))![1]!;
  const name = `node-${process.platform}-${process.arch}`;

  test("gets the pinned one from npm, into .bottle, first on PATH", () => {
    bootstrap("scripts/show.ts");
    fakeNpm(`mkdir -p node_modules/${name}/bin && printf '#!/bin/sh\\nif [ "$1" = --version ]; then echo v${pinned}; else shift; echo "ran $* with $PATH"; fi\\n' > node_modules/${name}/bin/node && chmod +x node_modules/${name}/bin/node`);
    const { stdout, stderr } = onOldNode("scripts/show.ts");
    expect(stderr).toBe(`bottle: Node 20.0.0 is older than 22.18; fetching Node ${pinned} into .bottle/node\n`);
    expect(stdout).toContain(`with ${clone}/.bottle/node/${pinned}/node_modules/${name}/bin:`);
    expect(npmCalls().at(-1)).toContain(`--no-save --no-package-lock --no-audit --no-fund ${name}@${pinned}`);
    expect(onOldNode("scripts/show.ts").stderr).toBe("");
  });

  test("is told to be replaced by hand where npm's does not run here, and leaves nothing half done", () => {
    bootstrap("scripts/show.ts");
    fakeNpm(`mkdir -p node_modules/${name}/bin && printf '#!/nothing\\n' > node_modules/${name}/bin/node && chmod +x node_modules/${name}/bin/node`);
    const { status, stderr } = onOldNode("scripts/show.ts");
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`Node: npm's ${name}@${pinned} does not run here .*\n  mend:  Install Node ≥ 22.18 yourself`));
    expect(execFileSync("ls", [join(clone, ".bottle/node")], { encoding: "utf8" })).toBe("");
  });
});
