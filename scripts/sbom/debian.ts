// Debian's packages: dpkg's own database, and licences from machine-readable copyright files.
import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { purl, type Component } from "./component.ts";
import type { Files } from "./filesystem.ts";

export function operatingSystem({ root, paths }: Files): (Component & { id: string }) | undefined {
  const file = ["usr/lib/os-release", "etc/os-release"].find((path) => paths.includes(path));
  if (file === undefined) return undefined;
  const values = Object.fromEntries([...readFileSync(join(root, file), "utf8").matchAll(/^(\w+)="?(.*?)"?$/gm)].map(([, key, value]) => [key, value])) as Record<string, string | undefined>;
  // The release file names trixie as 13; this one its point release.
  const point = paths.includes("etc/debian_version") ? readFileSync(join(root, "etc/debian_version"), "utf8").trim() : undefined;
  const version = point !== undefined && /^\d/.test(point) ? point : values["VERSION_ID"];
  return { type: "operating-system", id: values["ID"] ?? "linux", name: values["ID"] ?? "linux", version, licenses: [] };
}

/** @param distribution as `debian-13.8`. */
export function debianPackages({ root, paths }: Files, distribution: string | undefined): Component[] {
  const databases = paths.filter((path) => path === "var/lib/dpkg/status" || /^var\/lib\/dpkg\/status\.d\/[^.]+$/.test(path));
  return databases.flatMap((path) => parseStatus(readFileSync(join(root, path), "utf8"))).map(({ name, version, architecture, source }) => ({
    type: "library" as const,
    name,
    version,
    purl: purl("deb", distribution?.split("-")[0] ?? "debian", name, version, { arch: architecture, distro: distribution, upstream: source }),
    licenses: licensesOf(root, name),
  }));
}

interface Installed {
  name: string;
  version: string;
  architecture: string;
  /** Name of the source package where it is another. */
  source?: string;
}

/** Paragraphs of deb822 whose package is really there: not of one that was removed and left its configuration. */
export function parseStatus(text: string): Installed[] {
  return text.split(/\n{2,}/).flatMap((paragraph) => {
    const field = (name: string) => new RegExp(`^${name}: *(.+)$`, "m").exec(paragraph)?.[1]?.trim();
    const [name, version, status] = [field("Package"), field("Version"), field("Status")];
    if (name === undefined || version === undefined || (status !== undefined && !/ installed$/.test(status))) return [];
    return [{ name, version, architecture: field("Architecture") ?? "all", source: field("Source")?.replace(/ .*/, "") }];
  });
}

/** Short names of every licence in the package's copyright file; none where the file is prose or not there. */
function licensesOf(root: string, name: string): string[] {
  let folder = join(root, "usr/share/doc", name);
  // Binary packages of one source share a folder: `libgcc-s1 -> gcc-14-base`.
  if (existsSync(folder) && lstatSync(folder).isSymbolicLink()) folder = join(root, "usr/share/doc", basename(readlinkSync(folder)));
  const file = join(folder, "copyright");
  if (!existsSync(file) || !lstatSync(file).isFile()) return [];
  return parseCopyright(readFileSync(file, "utf8"));
}

/** https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ */
export function parseCopyright(text: string): string[] {
  if (!/^Format:/m.test(text)) return [];
  return [...new Set([...text.matchAll(/^License:[ \t]*(\S.*)$/gm)].map(([, license]) => license!.trim()))].sort();
}

/** Paths that belong to a package, as they lie in an image with merged /usr. */
export function debianOwned({ root, paths }: Files): Set<string> {
  const lists = paths.filter((path) => /^var\/lib\/dpkg\/info\/[^/]+\.list$/.test(path));
  const merged = (path: string) => path.replace(/^\//, "").replace(/^(bin|sbin|lib|lib64)\//, "usr/$1/");
  return new Set(lists.flatMap((path) => readFileSync(join(root, path), "utf8").split("\n").map(merged)));
}
