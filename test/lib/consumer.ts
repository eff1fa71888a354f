// A project of somebody who uses the package: the three lines of examples/team, with the tarball that `npm pack` makes.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { projectRoot } from "../../scripts/setup/project.ts";
import { ok } from "./run.ts";

export const packageName = "pulumi-bottle";

/** Builds and packs this checkout. @returns the tarball, in a folder of its own that the caller removes. */
export async function pack(): Promise<{ folder: string; tarball: string; files: string[] }> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "bottle-pack-")));
  await ok(process.execPath, ["scripts/build.ts"], { cwd: projectRoot, timeout: 300_000 });
  // Its own prepack would build once more, and talk on the standard output that is read here.
  const packed = await ok("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], { cwd: projectRoot, timeout: 120_000 });
  const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  return { folder, tarball: join(folder, filename), files: files.map(({ path }) => path).sort() };
}

/** Copies examples/team, without a package in it. */
export function teamProject(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "bottle-team-")));
  cpSync(join(projectRoot, "examples/team"), folder, { recursive: true });
  return folder;
}

/** Installs the tarball as npm does, from the registry or npm's cache. */
export async function install(project: string, tarball: string): Promise<void> {
  const file = join(project, "package.json");
  const manifest = JSON.parse(readFileSync(file, "utf8")) as { dependencies: Record<string, string>; devDependencies?: Record<string, string> };
  manifest.dependencies[packageName] = `file:${tarball}`;
  delete manifest.devDependencies; // the CLI and the type checker are this checkout's
  writeFileSync(file, JSON.stringify(manifest));
  await ok("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: project, timeout: 600_000 });
}

/**
 * Installs the tarball without a registry: unpacked, beside links to this checkout's copies of what the package may
 * depend on. Development dependencies are not among them, so that one that is needed after all is missed.
 */
export async function installOffline(project: string, tarball: string): Promise<void> {
  const modules = join(project, "node_modules");
  mkdirSync(join(modules, packageName), { recursive: true });
  await ok("tar", ["-xzf", tarball, "-C", join(modules, packageName), "--strip-components=1"]);
  const { packages } = JSON.parse(readFileSync(join(projectRoot, "package-lock.json"), "utf8")) as { packages: Record<string, { dev?: boolean }> };
  for (const [path, { dev }] of Object.entries(packages)) {
    if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || dev || !existsSync(join(projectRoot, path))) continue;
    mkdirSync(dirname(join(project, path)), { recursive: true });
    symlinkSync(join(projectRoot, path), join(project, path));
  }
}

export function remove(...folders: (string | undefined)[]): void {
  for (const folder of folders) if (folder) rmSync(folder, { recursive: true, force: true });
}
