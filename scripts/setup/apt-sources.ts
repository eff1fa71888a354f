import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One archive that apt is configured with. Formats: sources.list(5), one-line and deb822. */
export interface AptSource {
  uri: string;
  suites: string[];
  components: string[];
  /** A keyring's path, a fingerprint or an inline key block, as configured. */
  signedBy?: string;
}

/** The enabled binary archives of a one-line-style file. */
export function parseOneLine(text: string): AptSource[] {
  return text.split("\n").flatMap((raw) => {
    const line = raw.replace(/#.*/, "").trim();
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(line);
    if (!match) return [];
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(match[1] ?? "")?.[1];
    return [
      {
        uri: match[2]!,
        suites: [match[3]!],
        components: words(match[4]!),
        ...(signedBy ? { signedBy } : {}),
      },
    ];
  });
}

/** The enabled binary archives of a deb822-style file. */
export function parseDeb822(text: string): AptSource[] {
  // Comment lines may stand inside a stanza, even inside a field; they end neither.
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  return lines
    .join("\n")
    .split(/\n\s*\n/)
    .flatMap((stanza) => {
      const fields = new Map<string, string>();
      let key = "";
      for (const line of stanza.split("\n")) {
        const field = /^([A-Za-z][\w-]*):\s*(.*)$/.exec(line);
        if (field) fields.set((key = field[1]!.toLowerCase()), field[2]!.trim());
        else if (/^\s/.test(line) && key) fields.set(key, `${fields.get(key)}\n${line.trimEnd()}`);
      }
      const off = /^(no|false|0|off|disable)$/i.test(fields.get("enabled") ?? "yes");
      if (off || !words(fields.get("types")).includes("deb")) return [];
      const signedBy = fields.get("signed-by");
      return words(fields.get("uris")).map((uri) => ({
        uri,
        suites: words(fields.get("suites")),
        components: words(fields.get("components")),
        ...(signedBy ? { signedBy } : {}),
      }));
    });
}

/** Everything apt is configured with on this machine, in apt's own order. */
export function readAptSources(directory = "/etc/apt"): AptSource[] {
  const parts = join(directory, "sources.list.d");
  const files = [
    join(directory, "sources.list"),
    ...list(parts).filter((name) => /\.(list|sources)$/.test(name)).sort().map((name) => join(parts, name)),
  ];
  return files.flatMap((file) => {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch {
      return [];
    }
    return file.endsWith(".sources") ? parseDeb822(text) : parseOneLine(text);
  });
}

/** The archive that carries a release's own suite with the component `main`: the machine's mirror. */
export function mirrorOf(codename: string, sources: readonly AptSource[]): AptSource | undefined {
  return sources.find(({ suites, components }) => suites.includes(codename) && components.includes("main"));
}

/** The archive of a release's security updates (`bookworm-security`, or `bookworm/updates` before 11). */
export function securityMirrorOf(codename: string, sources: readonly AptSource[]): AptSource | undefined {
  const suites = [`${codename}-security`, `${codename}/updates`];
  return sources.find((source) => source.suites.some((suite) => suites.includes(suite)));
}

/** A source as one deb822 stanza. An inline key keeps its form. */
export function renderDeb822({ uri, suites, components, signedBy }: AptSource): string {
  return [
    "Types: deb",
    `URIs: ${uri}`,
    `Suites: ${suites.join(" ")}`,
    `Components: ${components.join(" ")}`,
    ...(signedBy ? [`Signed-By: ${signedBy}`] : []),
    "",
  ].join("\n");
}

function words(text: string | undefined): string[] {
  return (text ?? "").split(/\s+/).filter(Boolean);
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
