// Which host patterns a manifest may name. A pattern that reads narrower than it is, is refused.
import { parse } from "tldts";

/**
 * Hosts of LLM APIs. They are passed through by pipelock unless the manifest says `inspect: true`:
 * its body scanner takes harmless chat JSON for a seed phrase and costs 5 ms a KB.
 */
export const llmHosts: ReadonlySet<string> = new Set([
  "api.anthropic.com",
  "api.openai.com",
  "api.mistral.ai",
  "api.deepseek.com",
  "api.groq.com",
  "api.x.ai",
  "generativelanguage.googleapis.com",
  "openrouter.ai",
]);

const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;

/**
 * Says what is wrong with a host pattern, or undefined where it is fine.
 * Fine are exact lower-case ASCII names (`api.example.com`) and one leading wildcard label over a
 * name that one party owns (`*.example.com`; what one party owns: https://publicsuffix.org).
 */
export function hostFault(host: string): string | undefined {
  if (host === "") return "is empty; name a host such as api.example.com";
  if (host.includes("://")) return `has a scheme; write only the host${hint(host)}`;
  if (/[/?#]/.test(host)) return `has a path; write only the host and put the path in a route${hint(host)}`;
  if (host.includes("@")) return "has user information; credentials go in a route's auth";
  if (isIpLiteral(host)) return "is an IP address; name the host instead, so that certificates and rules can be checked";
  if (/:\d*$/.test(host)) return `has a port; write ${JSON.stringify(host.replace(/:\d*$/, ""))} and put the port in a route's port`;
  if (/^[*.]+$/.test(host)) return "would allow every host; name the hosts";
  if (host.endsWith(".")) return `ends in a dot; write ${JSON.stringify(host.replace(/\.+$/, ""))}`;
  if (/[^\x20-\x7e]/.test(host)) return `is not ASCII; write its punycode form${punycode(host)}`;
  if (host !== host.toLowerCase()) return `has upper-case letters; write ${JSON.stringify(host.toLowerCase())}`;
  const wildcard = host.startsWith("*.");
  const name = wildcard ? host.slice(2) : host;
  if (name.includes("*")) return "has a wildcard in the wrong place; only one leading label may be *, as in *.example.com";
  if (host.length > 253 || !name.split(".").every((part) => label.test(part))) return "is not a host name; write it as api.example.com or *.example.com";
  if (!name.includes(".")) {
    return wildcard ? tooBroad(name) : "has no dot: it would name this machine or a neighbour; give the full name";
  }
  if (name === "localhost" || name.endsWith(".localhost")) return "is this machine itself, which no bottle may reach";
  if (wildcard && parse(name, { allowPrivateDomains: true }).domain === null) return tooBroad(name);
  return undefined;
}

/** True where `pattern` (exact or `*.suffix`, any depth) covers `host` (exact or a pattern itself). */
export function covers(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  return pattern.startsWith("*.") && host.replace(/^\*/, "").endsWith(pattern.slice(1)) && host !== pattern.slice(2);
}

function tooBroad(name: string): string {
  return `is over-broad: anybody can have a name under "${name}"; name the hosts, or *.<one owner's domain>.${name}`;
}

/** What the host seems to be; nothing where a password may stand before it. */
function hint(text: string): string {
  const host = text.replace(/^[a-z0-9+.-]*:\/\//i, "").replace(/[/?#].*$/, "").replace(/:\d*$/, "").toLowerCase();
  return text.includes("@") || hostFault(host) !== undefined ? "" : `: ${JSON.stringify(host)}`;
}

function punycode(host: string): string {
  try {
    const ascii = new URL(`http://${host}`).hostname;
    return hostFault(ascii) === undefined ? ` ${JSON.stringify(ascii)}` : ", xn--…";
  } catch {
    return ", xn--…";
  }
}

/** IPv6, dotted IPv4 and the short, octal, hex and decimal forms that resolvers take for IPv4. */
function isIpLiteral(host: string): boolean {
  if (host.startsWith("[") || (host.match(/:/g)?.length ?? 0) > 1) return true;
  const last = host.replace(/:\d*$/, "").replace(/\.$/, "").split(".").at(-1) ?? "";
  return /^(\d+|0x[0-9a-f]*)$/i.test(last);
}
