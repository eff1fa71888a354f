// node scripts/bootstrap.mjs SCRIPT.ts [ARG…]
//
// Runs a TypeScript file of this project from a fresh clone, on any Node ≥ 18: installs the npm dependencies of the
// lock file and, where the running Node cannot strip types, a newer Node into .bottle/node. Does nothing, and says
// nothing, where both are there. Plain JavaScript with Node's own modules alone, because nothing else is there yet.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The Node that is fetched where the running one is too old, as npm's packages `node-<platform>-<arch>` carry it. */
const nodeVersion = "24.21.0";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [script, ...args] = process.argv.slice(2);
try {
  if (!script) fail("usage: node scripts/bootstrap.mjs SCRIPT.ts [ARG…]");
  installDependencies();
  runScript(stripsTypes(process.versions.node) ? process.execPath : newerNode());
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}

/** Whether node_modules holds the packages of the lock file, each at its version. */
function dependenciesAreThere() {
  const lock = packagesOf(join(root, "package-lock.json"));
  const installed = packagesOf(join(root, "node_modules/.package-lock.json"));
  // Packages for other platforms are in the lock file only.
  const missing = Object.entries(lock).some(
    ([path, { version, optional }]) => path !== "" && !optional && installed[path]?.version !== version,
  );
  const superfluous = Object.entries(installed).some(([path, { version }]) => lock[path]?.version !== version);
  return !missing && !superfluous;
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, "utf8")).packages ?? {};
  } catch {
    return {};
  }
}

function installDependencies() {
  if (dependenciesAreThere()) return;
  say("installing npm dependencies from package-lock.json");
  // Tools for tests and the Pulumi CLI are development dependencies: also wanted where NODE_ENV is "production".
  npm("npm dependencies", root, ["ci", "--include=dev", "--no-audit", "--no-fund"]);
}

/** Whether this Node runs TypeScript without a flag: from 22.18 and 23.6 on. */
function stripsTypes(version) {
  const [major, minor] = version.split(".").map(Number);
  return major >= 24 || (major === 22 && minor >= 18) || (major === 23 && minor >= 6);
}

/** The path of the pinned Node, fetched by npm if it is not there. */
function newerNode() {
  // npm's own naming: darwin-arm64 alone is called node-bin-….
  const prefix = process.platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
  const name = `${prefix}-${process.platform}-${process.arch}`;
  const folder = join(root, ".bottle/node", nodeVersion);
  const executable = join(folder, "node_modules", name, "bin/node");
  if (existsSync(executable)) return executable;
  say(`Node ${process.versions.node} is older than 22.18; fetching Node ${nodeVersion} into .bottle/node`);
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    npm(`Node ${nodeVersion}`, unfinished, ["install", "--prefix", unfinished, "--no-save", "--no-package-lock", "--no-audit", "--no-fund", `${name}@${nodeVersion}`]);
    const found = spawnSync(join(unfinished, "node_modules", name, "bin/node"), ["--version"], { encoding: "utf8" });
    if (found.stdout?.trim() !== `v${nodeVersion}`) {
      fail(`Node: npm's ${name}@${nodeVersion} does not run here (${found.error?.message ?? found.stderr}).\n  mend:  Install Node ≥ 22.18 yourself (https://nodejs.org/), put it first on PATH and run this again.`);
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return executable;
}

/** Runs npm with its errors on standard error alone, since standard output may be evaluated by a shell. */
function npm(part, cwd, npmArgs) {
  const all = [...npmArgs, "--loglevel=error"];
  const { status, error } = spawnSync("npm", all, { cwd, stdio: ["ignore", "ignore", 2] });
  if (status === 0) return;
  fail(`${part}: npm failed${error ? ` (${error.message})` : ` with exit code ${status}`}; see above.\n  tried: npm ${all.join(" ")}\n  mend:  Check npm's registry (\`npm config get registry\`, \`npm ping\`) and free disk space, and run this again.`);
}

function runScript(node) {
  const folders = [...(isFirstOnPath(node) ? [] : [dirname(node)]), join(root, "node_modules/.bin")];
  const path = [...new Set([...folders, ...(process.env.PATH ?? "").split(delimiter)])].join(delimiter);
  const child = spawn(node, [join(root, script), ...args], { stdio: "inherit", env: { ...process.env, PATH: path } });
  // The terminal sends SIGINT to the child as well; it must get it once, since Pulumi takes a second one for "at once".
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    say(`${node}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** Whether `node` already means this executable. */
function isFirstOnPath(executable) {
  const first = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "node")).find((file) => existsSync(file));
  return first !== undefined && realpathSync(first) === realpathSync(executable);
}

function say(text) {
  process.stderr.write(`bottle: ${text}\n`);
}

function fail(text) {
  throw new Error(text);
}
