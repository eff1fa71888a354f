// Run by a Command: puts prompt, skills and settings into the running agent's home. stdin: JSON, a
// ProvisionSpec. Everything goes over `docker exec -i` (docker cp fails on a read-only root) and by
// stdin, never as an argument. Repeating it changes nothing.
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { input, main } from "../files/script-io.ts";
import { run } from "../machine/run.ts";
import { mergeJson, type JsonObject, type ProvisionSpec } from "./provision-spec.ts";

/** Folder in the home for what provisioning itself remembers. */
const OWN = ".config/bottle";

await main(async () => {
  const spec = JSON.parse(input()) as ProvisionSpec;
  const stage = realpathSync(mkdtempSync(join(tmpdir(), "bottle-provision-")));
  try {
    const owned = stageOwned(spec, stage);
    const shared = await stageShared(spec, stage);
    writeFileSync(join(stage, "owned"), lines(owned));
    writeFileSync(join(stage, "shared"), lines(shared));
    await apply(spec, stage);
    if (spec.systemStore) await updateSystemStore(spec.container);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
});

function lines(paths: readonly string[]): string {
  const odd = paths.find((path) => path.includes("\n"));
  if (odd !== undefined) throw new Error(`${JSON.stringify(odd)}: a file name with a line break cannot be copied into the agent; rename it`);
  return paths.map((path) => `${path}\n`).join("");
}

/** Files that are wholly ours. @returns their paths relative to the home. */
function stageOwned(spec: ProvisionSpec, stage: string): string[] {
  const paths: string[] = [];
  for (const { path, content, sourcePath, executable } of spec.files) {
    if (sourcePath !== undefined) guard(sourcePath, spec);
    const executes = executable ?? (sourcePath !== undefined && (statSync(sourcePath).mode & 0o100) !== 0);
    put(stage, path, content ?? readFileSync(sourcePath!), executes ? 0o755 : 0o644);
    paths.push(path);
  }
  for (const { path, sourcePath } of spec.directories) {
    guard(sourcePath, spec);
    for (const name of readdirSync(sourcePath, { recursive: true, encoding: "utf8" }).sort()) {
      const from = join(sourcePath, name);
      if (name.split(sep).includes(".git") || lstatSync(from).isDirectory()) continue;
      inside(from, sourcePath);
      if (!statSync(from).isFile()) continue;
      const to = join(stage, "home", path, name);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(realpathSync(from), to, { dereference: true });
      paths.push(join(path, name));
    }
  }
  return paths;
}

/** Files that the agent writes too: read, changed as little as needed, and written only where they change. */
async function stageShared(spec: ProvisionSpec, stage: string): Promise<string[]> {
  const wanted = [...spec.merges, ...spec.heads].map(({ path }) => path);
  if (wanted.length === 0) return [];
  const present = await readFiles(spec, wanted);
  const changed: string[] = [];
  const change = (path: string, text: string) => {
    if (text === present.get(path)) return;
    put(stage, path, text, 0o600);
    changed.push(path);
  };
  for (const merge of spec.merges) {
    const existing = parseObject(present.get(merge.path));
    const merged = mergeJson(existing ?? {}, merge);
    // Compared by value: the agent's own spacing is left alone.
    if (existing === undefined || JSON.stringify(merged) !== JSON.stringify(existing)) change(merge.path, `${JSON.stringify(merged, null, 2)}\n`);
  }
  for (const { path, text } of spec.heads) {
    const existing = present.get(path) ?? "";
    if (!existing.startsWith(text)) change(path, text + existing);
  }
  return changed;
}

function parseObject(text: string | undefined): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined; // not there, or broken by the agent: made anew
  }
}

function put(stage: string, path: string, content: string | Buffer, mode: number): void {
  const to = join(stage, "home", path);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, content, { mode });
}

/** A link that the agent made in a mounted workspace must not fetch it a file of the host. */
function guard(sourcePath: string, { agentWritable = [] }: ProvisionSpec): void {
  for (const root of agentWritable) {
    const below = (path: string) => path === root || path.startsWith(root + sep);
    if (below(sourcePath)) inside(sourcePath, root);
  }
}

function inside(path: string, root: string): void {
  const real = relative(realpathSync(root), realpathSync(path));
  if (real.startsWith("..")) throw new Error(`${path}: is a link that leads out of ${root}; copy the file there instead`);
}

/** One exec: each file as its size on a line, then its bytes; -1 where there is none. */
async function readFiles(spec: ProvisionSpec, paths: readonly string[]): Promise<Map<string, string>> {
  const script = 'cd "$HOME_FOLDER" || exit 1; while IFS= read -r f; do if [ -f "$f" ]; then wc -c < "$f"; cat "$f"; else echo -1; fi; done';
  const text = Buffer.from(await execute(spec, script, lines(paths)), "utf8");
  const found = new Map<string, string>();
  let at = 0;
  for (const path of paths) {
    const end = text.indexOf("\n", at);
    const size = Number(text.subarray(at, end).toString());
    at = end + 1;
    if (size < 0) continue;
    found.set(path, text.subarray(at, at + size).toString("utf8"));
    at += size;
  }
  return found;
}

/** Unpacks beside the home's own files, then moves what differs into place; what we put there once and no longer name goes. */
async function apply(spec: ProvisionSpec, stage: string): Promise<void> {
  const archive = join(stage, "..", `${stage.split(sep).at(-1)}.tar`);
  try {
    const packed = await run("tar", ["--create", "--file", archive, "--directory", stage, "."], { env: { ...process.env, COPYFILE_DISABLE: "1" } });
    if (packed.code !== 0) throw new Error(`tar: ${packed.stderr.trim()}`);
    const script = `
set -e; umask 077; cd "$HOME_FOLDER"
command -v tar >/dev/null || { echo "the agent's image has no tar, which provisioning needs; add it to the image" >&2; exit 1; }
own=${OWN}; stage=$own/stage; rm -rf "$stage"; mkdir -p "$stage"; trap 'rm -rf "$stage"' EXIT
tar -xf - -C "$stage"
same() { if command -v cmp >/dev/null; then cmp -s "$1" "$2"; else [ "$(cat "$1")" = "$(cat "$2" 2>/dev/null)" ]; fi; }
if [ -f "$own/provisioned" ]; then while IFS= read -r f; do
  grep -Fxq -e "$f" "$stage/owned" || { rm -f -- "$f"; d=$(dirname -- "$f"); while [ "$d" != . ] && rmdir -- "$d" 2>/dev/null; do d=$(dirname -- "$d"); done; }
done < "$own/provisioned"; fi
cat "$stage/owned" "$stage/shared" | while IFS= read -r f; do
  if ! same "$stage/home/$f" "$f"; then mkdir -p "$(dirname -- "$f")"; mv -f -- "$stage/home/$f" "$f"; fi
done
mv -f "$stage/owned" "$own/provisioned"`;
    await execute(spec, script, readFileSync(archive));
  } finally {
    rmSync(archive, { force: true });
  }
}

async function execute(spec: ProvisionSpec, script: string, stdin: string | Buffer): Promise<string> {
  const { code, stdout, stderr } = await run(
    "docker",
    ["exec", "--interactive", "--user", `${spec.uid}:${spec.gid}`, "--env", `HOME_FOLDER=${spec.home}`, spec.container, "sh", "-c", script],
    { input: stdin, timeout: 120_000 },
  );
  if (code !== 0) throw new Error(`provisioning ${spec.container}: ${stderr.trim().split("\n").slice(-3).join("; ") || `exit code ${code}`}`);
  return stdout;
}

/** On a writable root the CAs lie where the distribution's own tool finds them, also after packages come and go. */
async function updateSystemStore(container: string): Promise<void> {
  await run("docker", ["exec", "--user", "0:0", container, "sh", "-c", "command -v update-ca-certificates >/dev/null && update-ca-certificates >/dev/null 2>&1"]);
}
