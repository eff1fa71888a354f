// An SBOM as CycloneDX 1.6 JSON. Pure.
import { createHash } from "node:crypto";
import type { Component } from "./component.ts";

export interface Subject {
  readonly image: string;
  /** Of the image's configuration: `sha256:…`. */
  readonly id: string;
  readonly created: string;
}

/** The same image gives the same document, so that two of them can be compared. */
export function cycloneDx(subject: Subject, components: readonly Component[], tool: { name: string; version: string }): object {
  const unique = new Map(components.map((component) => [key(component), component]));
  const listed = [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([ref, component]) => entry(ref, component));
  const [, name, tag] = /^(.*?)(?::([^:/]+))?$/.exec(subject.image)!;
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([subject.id, listed]))}`,
    version: 1,
    metadata: {
      timestamp: subject.created,
      tools: { components: [{ type: "application", name: `${tool.name} sbom`, version: tool.version }] },
      component: { "bom-ref": subject.id, type: "container", name, version: tag ?? subject.id, hashes: [{ alg: "SHA-256", content: subject.id.replace(/^sha256:/, "") }] },
    },
    components: listed,
  };
}

function key({ purl, name, version }: Component): string {
  return purl ?? `${name}@${version ?? ""}`;
}

function entry(ref: string, { type, name, version, purl, licenses, sha256 }: Component): object {
  return {
    "bom-ref": ref,
    type,
    name,
    ...(version !== undefined && { version }),
    ...(licenses.length > 0 && { licenses: [...new Set(licenses)].map((license) => ({ license: { name: license } })) }),
    ...(purl !== undefined && { purl }),
    ...(sha256 !== undefined && { hashes: [{ alg: "SHA-256", content: sha256 }] }),
  };
}

/** Version 8, "custom" (RFC 9562): made of the content. */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
