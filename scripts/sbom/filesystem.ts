// The files of an image, unpacked beside us: nothing of it is run, and it needs no shell (pipelock's has none).
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../setup/exec.ts";

export interface Files {
  readonly root: string;
  /** Regular files, relative to the root, as they lie there: links are not followed, so none leads out of it. */
  readonly paths: readonly string[];
}

/** Unpacks an image of the engine's store, calls `use`, and removes it again. @throws Error where it is not there. */
export async function withFiles<T>(image: string, use: (files: Files) => T | Promise<T>): Promise<T> {
  // A command is needed to create a container, and never started.
  const created = await run("docker", ["create", "--pull", "never", "--network", "none", image, "none"]);
  if (created.code !== 0) throw new Error(`${image}: ${created.stderr.trim()}`);
  const container = created.stdout.trim();
  const root = mkdtempSync(join(tmpdir(), "bottle-sbom-"));
  try {
    await unpack(container, root);
    return await use({ root, paths: walk(root) });
  } finally {
    await run("docker", ["rm", "--force", container]);
    await run("chmod", ["-R", "u+rwX", root]);
    rmSync(root, { recursive: true, force: true });
  }
}

function unpack(container: string, root: string): Promise<void> {
  const exported = spawn("docker", ["export", container], { stdio: ["ignore", "pipe", "inherit"] });
  const tar = spawn("tar", ["-x", "--no-same-owner", "--delay-directory-restore", "--exclude=dev/*", "--directory", root], { stdio: [exported.stdout, "inherit", "inherit"] });
  exported.stdout.destroy(); // tar alone reads it
  return new Promise((resolve, reject) => {
    tar.on("error", reject);
    tar.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`its files cannot be unpacked: tar ended with ${code}`))));
  });
}

/** @returns paths of regular files under a folder, sorted. */
export function walk(root: string): string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile()) found.push(path);
    }
  };
  visit("");
  return found.sort();
}
