// Packages of Python and Node: what each leaves beside itself about itself.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { purl, type Component } from "./component.ts";
import type { Files } from "./filesystem.ts";

export function pythonPackages({ root, paths }: Files): Component[] {
  return paths.filter((path) => /\.dist-info\/METADATA$|\.egg-info(\/PKG-INFO)?$/.test(path)).flatMap((path) => parseMetadata(readFileSync(join(root, path), "utf8")) ?? []);
}

/** Core metadata (https://packaging.python.org/en/latest/specifications/core-metadata/): its header ends at an empty line. */
export function parseMetadata(text: string): Component | undefined {
  const header = text.split(/\r?\n\r?\n/)[0]!;
  const field = (name: string) => new RegExp(`^${name}: *(.+)$`, "mi").exec(header)?.[1]?.trim();
  const [name, version] = [field("Name"), field("Version")];
  if (name === undefined || version === undefined) return undefined;
  const classifiers = [...header.matchAll(/^Classifier: License :: (?:OSI Approved :: )?(.+)$/gm)].map(([, license]) => license!.trim());
  // Old packages put the licence's whole text into the field, of one long line or of several.
  const isText = /^License:.*\n[ \t]/m.test(header);
  const stated = field("License-Expression") ?? (isText ? undefined : field("License"));
  const licenses = stated !== undefined && stated.length <= 60 && !/^unknown$/i.test(stated) ? [stated] : classifiers;
  return { type: "library", name, version, purl: purl("pypi", undefined, name.toLowerCase().replace(/[-_.]+/g, "-"), version), licenses };
}

export function nodePackages({ root, paths }: Files): Component[] {
  return paths.filter((path) => /(^|\/)node_modules\/(@[^/]+\/)?[^/@]+\/package\.json$/.test(path)).flatMap((path) => parsePackage(readFileSync(join(root, path), "utf8")) ?? []);
}

export function parsePackage(text: string): Component | undefined {
  let content: { name?: unknown; version?: unknown; license?: unknown; licenses?: unknown };
  try {
    content = JSON.parse(text) as typeof content;
  } catch {
    return undefined; // packages carry broken ones as test data
  }
  const { name, version } = content;
  if (typeof name !== "string" || typeof version !== "string") return undefined;
  const [scope, rest] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const licenses = [content.license, ...(Array.isArray(content.licenses) ? (content.licenses as unknown[]) : [])].flatMap((each) => {
    const license = typeof each === "object" && each !== null ? (each as { type?: unknown }).type : each;
    return typeof license === "string" ? [license] : [];
  });
  return { type: "library", name, version, purl: purl("npm", scope, rest ?? name, version), licenses };
}
