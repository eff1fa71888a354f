// Reads from the host what provisioning puts into the agent's home.
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import type { ProvisionSpec } from "./provision-spec.ts";
import type { TarEntry } from "./tar.ts";

/** All that one provisioning copies: a node_modules inside a skill is a slip, not a skill. */
const TOTAL_MAX = 64 * 2 ** 20;

/**
 * The files as they are to be, by path relative to the home.
 *
 * @throws Error naming the host path, the problem and the mend where a source is missing, not
 *   readable, too large, leads out of a directory that the agent can write, or has a name no line holds.
 */
export function readSources(spec: ProvisionSpec): Map<string, TarEntry> {
  const files = new Map<string, TarEntry>();
  let total = 0;
  const add = (path: string, content: Buffer, executable: boolean) => {
    checkPath(path);
    total += content.length;
    if (total > TOTAL_MAX) throw new Error(`prompt and skills: are over ${TOTAL_MAX / 2 ** 20} MB at "${path}"; keep build output and packages out of skill directories`);
    files.set(path, { path, content, executable });
  };
  for (const { path, content, sourcePath, executable } of spec.files) {
    if (sourcePath === undefined) add(path, Buffer.from(content ?? ""), executable ?? false);
    else {
      const source = readFile(sourcePath, spec.agentWritable ?? []);
      add(path, source.content, executable ?? source.executable);
    }
  }
  for (const { path, sourcePath } of spec.directories) {
    for (const name of walk(sourcePath, spec.agentWritable ?? [])) {
      const source = readFile(join(sourcePath, name), spec.agentWritable ?? []);
      add(`${path}/${name}`, source.content, source.executable);
    }
  }
  return files;
}

/** Paths travel as lines, are relative to the home and stay in it. */
export function checkPath(path: string): void {
  if (path === "" || path.startsWith("/") || /[\n\0]/.test(path) || path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    throw new Error(`provisioning: ${JSON.stringify(path)} is not a path inside the agent's home; rename the file`);
  }
}

function readFile(path: string, agentWritable: readonly string[]): { content: Buffer; executable: boolean } {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe would wait for a writer
  } catch (error) {
    throw new Error(`"${path}": cannot be read (${(error as NodeJS.ErrnoException).code}); mend the path in the manifest, or the file`);
  }
  try {
    confine(path, opened(descriptor, path), agentWritable);
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new Error(`"${path}": is not a file; give a regular file`);
    if (stat.size > TOTAL_MAX) throw new Error(`"${path}": has ${stat.size} bytes; at most ${TOTAL_MAX / 2 ** 20} MB are copied`);
    return { content: readFileSync(descriptor), executable: (stat.mode & 0o111) !== 0 };
  } finally {
    closeSync(descriptor);
  }
}

/** Where an opened file really lies; Linux tells it of the descriptor, so that no link can be swapped in between. */
function opened(descriptor: number, path: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return realpathSync(path);
  }
}

/** A source inside a directory that the agent writes must not lead out of it. */
function confine(path: string, real: string, agentWritable: readonly string[]): void {
  for (const directory of agentWritable) {
    if (inside(resolve(directory), resolve(path)) && !inside(realpathSync(directory), real)) {
      throw new Error(`"${path}": is a link out of the mounted workspace, where the agent may have made it; put the file itself there, or keep it outside the workspace`);
    }
  }
}

function inside(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

/** Files below a directory, relative, sorted; links are followed, circles are not. */
function walk(root: string, agentWritable: readonly string[]): string[] {
  const found: string[] = [];
  const visit = (directory: string, above: readonly string[]) => {
    const real = realpathSync(directory);
    confine(directory, real, agentWritable);
    if (above.includes(real)) return;
    for (const name of readdirSync(directory).sort()) {
      if (name === ".git" || name === ".DS_Store") continue;
      const path = join(directory, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) visit(path, [...above, real]);
      else if (stat?.isFile()) found.push(relative(root, path).split(sep).join("/"));
    }
  };
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`"${root}": is not a directory; mend bottle:agent.skills`);
  visit(root, []);
  return found;
}
