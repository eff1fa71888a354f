// A build context's fingerprint: an image is built again only when what goes into it changed.
import { createHash, type Hash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Never part of an image of ours, and changing by themselves. */
const ignored = new Set(["__pycache__", ".pytest_cache", "node_modules", ".git"]);

/**
 * Hash of a directory by paths, modes and contents; of a large file (over 1 MiB) by size and time.
 *
 * @param extra what else goes into the image: base, arguments, labels.
 * @returns 16 hex digits.
 */
export function contextHash(directory: string, extra: unknown): string {
  const hash = createHash("sha256").update(JSON.stringify(extra));
  addTree(hash, directory);
  return hash.digest("hex").slice(0, 16);
}

/** The same of some files and folders below a directory, by their paths. */
export function sourcesHash(directory: string, paths: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of paths) {
    hash.update(`${path}\0`);
    if (lstatSync(join(directory, path)).isDirectory()) addTree(hash, join(directory, path));
    else hash.update(readFileSync(join(directory, path)));
  }
  return hash.digest("hex").slice(0, 16);
}

function addTree(hash: Hash, directory: string): void {
  const walk = (folder: string, prefix: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (ignored.has(entry.name)) continue;
      const path = join(folder, entry.name);
      const name = `${prefix}${entry.name}`;
      if (entry.isDirectory()) walk(path, `${name}/`);
      else if (entry.isSymbolicLink()) hash.update(`${name}\0->${readlinkSync(path)}\0`);
      else if (entry.isFile()) {
        const { size, mode, mtimeMs } = lstatSync(path);
        hash.update(`${name}\0${mode & 0o111 ? "x" : "-"}\0${size}\0`);
        hash.update(size > 2 ** 20 ? String(mtimeMs) : readFileSync(path));
      }
    }
  };
  walk(directory, "");
}
