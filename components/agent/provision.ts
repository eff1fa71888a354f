// Run by a Command after `up`: puts prompt, skills and settings into the running agent's home. stdin:
// JSON, a ProvisionSpec. Content travels by stdin alone; what is as it should be is not written again.
import { createHash, randomUUID } from "node:crypto";
import { explainContainer } from "../compose/explain.ts";
import { input, main } from "../files/script-io.ts";
import { run } from "../machine/run.ts";
import { checkPath, readSources } from "./provision-sources.ts";
import { mergeJson, type JsonObject, type ProvisionSpec } from "./provision-spec.ts";
import { updateSystemStore } from "./system-store.ts";
import { tar, type TarEntry } from "./tar.ts";

/** Paths that are bottle's, a line each, kept in the home: what is no longer named is removed. */
const MANIFEST = ".config/bottle/provisioned";
/** Agents write these files too; beyond this they are no configuration. */
const SHARED_MAX = 64 * 2 ** 20;

/**
 * Prints what is there. $1 home, $2 separator, $3 manifest; stdin: kind and path of each file.
 * `own`: its hash and execute bit; `shared`: its content.
 */
const look = `cd -- "$1" || { echo "cannot enter $1" >&2; exit 1; }
command -v tar >/dev/null 2>&1 || { echo "the agent's image has no tar; add it" >&2; exit 1; }
own() { [ -f "$1" ] && [ ! -L "$1" ] || return 0
  x=-; [ -x "$1" ] && x=x
  h=$(sha256sum < "$1" 2>/dev/null) || h=unknown
  printf '%s own %s %s %s\\n' "$s" "$x" "\${h%% *}" "$1"; }
s=$2
while IFS= read -r line; do
  case $line in
    'own '*) own "\${line#own }" ;;
    'shared '*) p=\${line#shared }; if [ -f "$p" ]; then printf '%s shared %s\\n' "$s" "$p"; cat -- "./$p"; printf '\\n'; fi ;;
  esac
done
printf '%s manifest\\n' "$s"
if [ -f "$3" ]; then cat -- "$3"; fi`;

/**
 * Unpacks beside the targets and renames, so that no reader sees half a file. $1 home; stdin: tar with
 * the files under f/, and the lists remove and install.
 */
const apply = `umask 077
cd -- "$1" || exit 1
t=.config/bottle/incoming
rm -rf "$t"; mkdir -p "$t" || exit 1
trap 'rm -rf "$t"' EXIT
tar -xf - -C "$t" || exit 1
while IFS= read -r p; do
  rm -f -- "./$p"
  while case $p in */*) true ;; *) false ;; esac; do p=\${p%/*}; rmdir -- "./$p" 2>/dev/null || break; done
done < "$t/remove"
while IFS= read -r p; do
  case $p in */*) [ -d "./\${p%/*}" ] || mkdir -p -- "./\${p%/*}" || exit 1 ;; esac
  [ ! -d "./$p" ] || { echo "$1/$p is a directory inside the bottle and should be a file; remove it there" >&2; exit 1; }
  m=600; [ ! -x "$t/f/$p" ] || m=700
  chmod "$m" "$t/f/$p" && mv -f -- "$t/f/$p" "./$p" || exit 1
done < "$t/install"`;

if (process.argv[1] === import.meta.filename) {
  await main(async () => {
    const spec = JSON.parse(input()) as ProvisionSpec;
    const changed = await provision(spec);
    if (changed.length > 0) process.stderr.write(`provisioned: ${changed.join(", ")}\n`);
    if (spec.systemStore) await updateSystemStore(spec.container);
  });
}

/** What is in the home now. */
interface Present {
  /** Hash and execute bit of bottle's own files. */
  readonly own: ReadonlyMap<string, string>;
  /** Content of files that the agent writes too. */
  readonly shared: ReadonlyMap<string, Buffer>;
  /** Paths that an earlier provisioning wrote. */
  readonly manifest: readonly string[];
}

/**
 * Makes the home as the spec says. Repeating it changes nothing.
 *
 * @returns the paths that were written or removed, relative to the home.
 * @throws Error naming the container and the problem.
 */
export async function provision(spec: ProvisionSpec): Promise<string[]> {
  const wanted = readSources(spec);
  const shared = [...spec.merges, ...spec.heads].map(({ path }) => path);
  shared.forEach(checkPath);
  const present = await lookInside(spec, [...wanted.keys()], shared);

  const install: TarEntry[] = [...wanted.values()].filter((entry) => present.own.get(entry.path) !== fingerprint(entry));
  for (const merge of spec.merges) {
    const before = present.shared.get(merge.path);
    const parsed = parseObject(before);
    if (before !== undefined && parsed === undefined) install.push({ path: `${merge.path}.broken`, content: before });
    const existing = parsed ?? {};
    const after = mergeJson(existing, merge);
    if (parsed === undefined || JSON.stringify(after) !== JSON.stringify(existing)) {
      install.push({ path: merge.path, content: Buffer.from(`${JSON.stringify(after, null, 2)}\n`) });
    }
  }
  for (const { path, text } of spec.heads) {
    const before = present.shared.get(path)?.toString() ?? "";
    if (!before.includes(text)) install.push({ path, content: Buffer.from(text + before) });
  }
  const remove = present.manifest.filter((path) => !wanted.has(path) && !shared.includes(path));
  const manifest = [...wanted.keys()].sort();
  const manifestChanged = manifest.join("\n") !== [...present.manifest].sort().join("\n");
  const changed = [...install.map(({ path }) => path), ...remove];
  if (changed.length === 0 && !manifestChanged) return [];

  // Last, so that a killed provisioning forgets nothing that it wrote earlier.
  install.push({ path: MANIFEST, content: Buffer.from(manifest.map((path) => `${path}\n`).join("")) });
  const list = (paths: readonly string[]) => Buffer.from(paths.map((path) => `${path}\n`).join(""));
  const archive = tar([
    { path: "remove", content: list(remove) },
    { path: "install", content: list(install.map(({ path }) => path)) },
    ...install.map((entry) => ({ ...entry, path: `f/${entry.path}` })),
  ]);
  await inside(spec, apply, [], archive);
  return changed.sort();
}

async function lookInside(spec: ProvisionSpec, own: readonly string[], shared: readonly string[]): Promise<Present> {
  const separator = randomUUID(); // nothing inside can know it beforehand
  const asked = [...own.map((path) => `own ${path}\n`), ...shared.map((path) => `shared ${path}\n`)].join("");
  const output = await inside(spec, look, [separator, MANIFEST], Buffer.from(asked));
  const present = { own: new Map<string, string>(), shared: new Map<string, Buffer>(), manifest: [] as string[] };
  for (const part of output.split(`${separator} `).slice(1)) {
    const line = part.slice(0, part.indexOf("\n"));
    const rest = part.slice(line.length + 1);
    const [kind, ...words] = line.split(" ");
    if (kind === "own") present.own.set(words.slice(2).join(" "), `${words[0]} ${words[1]}`);
    else if (kind === "shared") present.shared.set(words.join(" "), Buffer.from(rest.slice(0, -1)));
    else if (kind === "manifest") present.manifest.push(...rest.split("\n").filter(isInside));
  }
  return present;
}

/** The agent can write the manifest: what leads out of the home is not followed. */
function isInside(path: string): boolean {
  try {
    checkPath(path);
    return true;
  } catch {
    return false;
  }
}

function fingerprint({ content, executable }: TarEntry): string {
  return `${executable ? "x" : "-"} ${createHash("sha256").update(content).digest("hex")}`;
}

/** undefined where there is no JSON object: the agent broke its file, which is then made anew. */
function parseObject(content: Buffer | undefined): JsonObject | undefined {
  if (content === undefined || content.length > SHARED_MAX) return undefined;
  try {
    const value = JSON.parse(content.toString()) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** Runs a script in the container as the agent. */
async function inside(spec: ProvisionSpec, script: string, args: readonly string[], stdin: Buffer): Promise<string> {
  const { container, uid, gid, home } = spec;
  const command = ["exec", "--interactive", "--user", `${uid}:${gid}`, container, "sh", "-c", script, "sh", home, ...args];
  const { code, stdout, stderr } = await run("docker", command, { input: stdin, timeout: 60_000 });
  if (code === 0) return stdout;
  const why = code === 127 && /ENOENT/.test(stderr) ? "docker is not installed on this machine" : stderr.trim().split("\n").slice(-3).join("\n") || `exit code ${code}`;
  // Compose calls a container that exits at once and is restarted "started".
  const stopped = code === 127 ? undefined : await explainContainer("agent", container);
  throw new Error(stopped ?? `provisioning ${container}: ${why}`);
}
