// Host keys that a manifest pins. Format: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Pure.
import { createHmac } from "node:crypto";
import type { GitUrl } from "./git-url.ts";

const KEY_TYPE = /^(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/;
const MARKERS = new Set(["@cert-authority", "@revoked"]);

/** A manifest's entry: a file's path, a key for the upstream's own host, or a whole line with its host patterns. */
export type KnownHost = { readonly file: string } | { readonly key: string } | { readonly line: string } | { readonly fault: string };

/** Tells what an entry is. */
export function parseKnownHost(text: string): KnownHost {
  const trimmed = text.trim();
  if (trimmed === "" || /[\n\r\0]/.test(trimmed)) return { fault: "is not one line; give a known_hosts file, or one key such as \"ssh-ed25519 AAAA…\"" };
  const fields = trimmed.split(/\s+/);
  const at = fields.findIndex((field) => KEY_TYPE.test(field));
  if (at < 0) return /\s(?:ssh-|ecdsa-|sk-)/.test(` ${trimmed}`) && fields.length > 1 ? { fault: "holds a key of a type that ssh no longer takes; give its ed25519, ecdsa or rsa key" } : { file: trimmed };
  if (!isKey(fields[at]!, fields[at + 1])) return { fault: "holds a key that is cut short or changed; copy the whole line" };
  if (at === 0) return { key: fields.slice(0, 2).join(" ") };
  const patterns = fields.slice(0, at);
  if (patterns.length > 2 || (patterns.length === 2 && !MARKERS.has(patterns[0]!))) return { fault: "is not a line of a known_hosts file; write it as host ssh-ed25519 AAAA…" };
  return { line: trimmed };
}

/** The blob is fields with their lengths, of which the first is the type's name again (RFC 4253, 6.6). */
function isKey(type: string, base64 = ""): boolean {
  const blob = Buffer.from(base64, "base64");
  if (blob.toString("base64").replace(/=+$/, "") !== base64.replace(/=+$/, "")) return false;
  let at = 0;
  while (at + 4 <= blob.length) {
    const end = at + 4 + blob.readUInt32BE(at);
    if (at === 0 && blob.subarray(4, end).toString() !== type) return false;
    at = end;
  }
  return at === blob.length && at > 4 + type.length;
}

/** How ssh looks a host up: `[host]:port` unless the port is the usual one. */
export function lookupName({ host, port }: Pick<GitUrl, "host" | "port">): string {
  return port === undefined ? host! : `[${host}]:${port}`;
}

/** The lines of a known_hosts file that speak of this host; those of others are nobody's business. */
export function linesFor(file: string, name: string): string[] {
  return file.split("\n").map((line) => line.trim()).filter((line) => {
    if (line === "" || line.startsWith("#")) return false;
    const fields = line.split(/\s+/);
    const patterns = MARKERS.has(fields[0]!) ? fields[1] : fields[0];
    return patterns !== undefined && matches(patterns, name);
  });
}

function matches(patterns: string, name: string): boolean {
  if (patterns.startsWith("|1|")) {
    const [, , salt, hash] = patterns.split("|");
    return createHmac("sha1", Buffer.from(salt ?? "", "base64")).update(name).digest("base64") === hash;
  }
  let found = false;
  for (const pattern of patterns.toLowerCase().split(",")) {
    const negated = pattern.startsWith("!");
    const expression = new RegExp(`^${(negated ? pattern.slice(1) : pattern).replace(/[\\^$.+()[\]{}|]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")}$`);
    if (!expression.test(name)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}
