// What an SBOM lists: the part of CycloneDX that is used here (https://cyclonedx.org/docs/1.6/json/).

export interface Component {
  readonly type: "library" | "application" | "operating-system" | "file";
  readonly name: string;
  readonly version?: string;
  /** https://github.com/package-url/purl-spec */
  readonly purl?: string;
  /** As the package itself says, in its own words where these are no SPDX id. */
  readonly licenses: readonly string[];
  readonly sha256?: string;
}

/** A package URL; `qualifiers` in alphabetical order, undefined ones left out. */
export function purl(type: string, namespace: string | undefined, name: string, version: string | undefined, qualifiers: Record<string, string | undefined> = {}): string {
  // The specification leaves these two as they are.
  const encode = (text: string) => encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("%2F", "/");
  const query = Object.entries(qualifiers).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${encode(value)}`])).sort().join("&");
  const path = [type, ...(namespace === undefined ? [] : namespace.split("/")), name].map(encode).join("/");
  return `pkg:${path}${version === undefined ? "" : `@${encode(version)}`}${query && `?${query}`}`;
}
