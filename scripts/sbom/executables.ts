// Programs and libraries that no package manager knows of: Go says what it is made of, a few are known by a text
// they hold, and of the rest at least the file is named, with its hash.
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { purl, type Component } from "./component.ts";
import type { Files } from "./filesystem.ts";

/** Programs by name, with the text of theirs that holds the version. */
const known: Record<string, { readonly version: RegExp; readonly component: (version: string) => Component }> = {
  node: {
    version: /node-v(\d+\.\d+\.\d+)-headers\.tar/,
    component: (version) => ({ type: "application", name: "node", version, purl: purl("generic", undefined, "node", version), licenses: ["MIT"] }),
  },
  claude: {
    version: /VERSION:"(\d+\.\d+\.\d+)"/,
    component: (version) => ({ type: "application", name: "@anthropic-ai/claude-code", version, purl: purl("npm", "@anthropic-ai", "claude-code", version), licenses: ["LicenseRef-Anthropic-Claude-Code"] }),
  },
};

/** @param owned paths that belong to packages which are listed already. */
export function executables({ root, paths }: Files, owned: ReadonlySet<string>): Component[] {
  const inPackage = /(^|\/)(site-packages|dist-packages|node_modules)\//;
  return paths
    .filter((path) => !owned.has(path) && !inPackage.test(path) && isElf(join(root, path)))
    .flatMap((path) => {
      const content = readFileSync(join(root, path));
      const go = goModules(content);
      if (go.length > 0) return go;
      const sha256 = createHash("sha256").update(content).digest("hex");
      const program = known[basename(path)];
      const version = program?.version.exec(content.toString("latin1"))?.[1];
      return [program && version ? { ...program.component(version), sha256 } : { type: "file" as const, name: `/${path}`, sha256, licenses: [] }];
    });
}

function isElf(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const start = Buffer.alloc(4);
    return readSync(file, start) === 4 && start.equals(Buffer.from("\x7fELF", "latin1"));
  } finally {
    closeSync(file);
  }
}

/** Before Go's build information; two texts with their lengths follow 32 bytes on (Go's debug/buildinfo, since 1.18). */
const GO_MAGIC = Buffer.from("\xff Go buildinf:", "latin1");

/** The program itself, every module in it and Go's own library; empty for what Go did not build. */
export function goModules(content: Buffer): Component[] {
  for (let at = content.indexOf(GO_MAGIC); at >= 0; at = content.indexOf(GO_MAGIC, at + 1)) {
    // Bit 1: the texts stand right here, as Go writes them since 1.18. Programs that read build information hold the magic, too.
    if (at % 16 !== 0 || !(content[at + 15]! & 2)) continue;
    const [version, afterVersion] = goText(content, at + 32);
    const [modules] = goText(content, afterVersion);
    // 16 bytes of sentinel stand before and after.
    const text = modules.subarray(16, -16).toString();
    return [...parseGoModules(text), goModule("library", "stdlib", version.toString().replace(/^go/, "").replace(/ .*/, ""))];
  }
  return [];
}

function goText(content: Buffer, start: number): [Buffer, number] {
  let length = 0;
  let at = start;
  for (let shift = 0; ; shift += 7) {
    const byte = content[at++]!;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  return [content.subarray(at, at + length), at + length];
}

/** Lines of `go version -m`: `mod` the main module, `dep` the others, `=>` what takes the place of the one above. */
export function parseGoModules(text: string): Component[] {
  const found: Component[] = [];
  for (const line of text.split("\n")) {
    const [kind, path, version] = line.split("\t");
    if (path === undefined || version === undefined) continue;
    if (kind === "=>") found.pop();
    if (kind === "mod" || kind === "dep" || kind === "=>") found.push(goModule(kind === "mod" ? "application" : "library", path, version));
  }
  return found;
}

function goModule(type: "application" | "library", path: string, stated: string): Component {
  const version = stated === "(devel)" ? undefined : stated; // built from a folder, not from a module at a version
  const parts = path.split("/");
  return { type, name: path, version, purl: purl("golang", parts.length > 1 ? parts.slice(0, -1).join("/") : undefined, parts.at(-1)!, version), licenses: [] };
}
