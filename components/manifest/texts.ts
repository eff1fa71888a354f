// Texts with rules: what a manifest may write for a host, a path, a variable's name…
// A fault is one sentence after the value itself; a value that could be a secret is not shown.
import { z } from "zod";
import { overlaps, parseCidr } from "../subnets.ts";
import { globFault } from "./globs.ts";
import { hostFault } from "./hosts.ts";

/**
 * A string with a rule.
 *
 * @param fault returns what is wrong, to be read after the value.
 * @param show how the value is shown; "" where the key shows it already.
 */
export function checked(fault: (value: string) => string | undefined, show: (value: string) => string = JSON.stringify) {
  return z.string().check((context) => {
    const problem = fault(context.value);
    if (problem !== undefined) context.issues.push({ code: "custom", input: context.value, message: `${show(context.value)} ${problem}`.trimStart() });
  });
}

const hidden = () => "the value";

/** A string that matches; else `mend`, to be read after the value. */
export const matching = (pattern: RegExp, mend: string) => checked((value) => (pattern.test(value) ? undefined : mend));

/** Exact host or `*.suffix`. Before an @ stands user information, perhaps a password. */
export const host = checked(hostFault, (value) => JSON.stringify(value.replace(/^.*@/s, "…@")));

export const pathGlob = checked(globFault);
export const path = matching(/\S/, "is empty; give a path, relative to the Pulumi project or absolute");
/** Docker's notation: 512m, 4g. */
export const memory = matching(/^[1-9]\d*(?:[kmg]b?)$/i, "is not an amount of memory; write it as 512m or 4g");
export const image = matching(/^[A-Za-z0-9]\S*$/, "is not an image's name; write it as name:tag or name@sha256:…");

const name = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Name of a host variable. Not shown: where a name is expected, people paste the token. */
export const variable = checked((value) => {
  if (!name.test(value)) return "is not a variable's name; write the name only, such as GITHUB_TOKEN, never its value";
  const mixed = value.length >= 20 && [/[a-z]/, /[A-Z]/, /\d/].every((kind) => kind.test(value));
  return mixed ? "looks like a token itself; write its variable's name only, such as GITHUB_TOKEN, and revoke it where this file was shared" : undefined;
}, hidden);

/** A moment, RFC 3339 in UTC. In quotes: Pulumi hands a bare one on as Go prints it, `2026-11-25 10:00:00 +0200 +0200`. */
export const instant = checked((value) => {
  const mend = 'write it in UTC and in quotes: "2026-11-25T10:00:00Z"';
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/.test(value)) return `is not a time; ${mend}`;
  const time = new Date(value);
  return Number.isNaN(time.getTime()) || time.toISOString().slice(0, 19) !== value.slice(0, 19) ? `is no day or hour there is; ${mend}` : undefined;
});

/** Name of a variable that the agent has. */
export const environmentName = checked((value) => (name.test(value) ? undefined : "is not a variable's name; use letters, digits and _"), () => "");

/** Name of a query parameter. */
export const parameterName = checked((value) => (value === "" ? "is an empty parameter name; name the parameter" : undefined), () => "");

/** Headers that frame or route a message: egress refuses to write a credential there. */
const framing = new Set(
  "host connection content-length transfer-encoding upgrade te trailer expect proxy-authorization proxy-connection".split(" "),
);

/** Name of a header that a credential goes in. */
export const header = checked((value) => {
  if (!/^[A-Za-z0-9-]{1,128}$/.test(value)) return "is not a header's name; write the name only, such as x-api-key";
  return framing.has(value.toLowerCase()) ? "is a header that frames the request; name the one the credential belongs in" : undefined;
}, hidden);

/** RFC 1918, and RFC 6598's shared space. */
const privateSpace = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];

/** Range that bottles take addresses from. */
export const ownRange = checked((value) => cidrFault(value) ?? ownRangeFault(value));

/** Range that a host may resolve to. */
export const privateRange = checked((value) => cidrFault(value) ?? privateRangeFault(value));

function cidrFault(value: string): string | undefined {
  try {
    parseCidr(value);
    return undefined;
  } catch (error) {
    return (error as Error).message.slice(value.length + 3); // it begins with the value in quotes
  }
}

function ownRangeFault(value: string): string | undefined {
  const inside = privateSpace.some((space) => parseCidr(value).prefix >= parseCidr(space).prefix && overlaps(value, space));
  return inside ? undefined : `is not private; use a range inside ${privateSpace.join(", ")}`;
}

function privateRangeFault(value: string): string | undefined {
  if (parseCidr(value).prefix < 8) return "is over-broad; give the range the host really lives in, /8 or narrower";
  if (overlaps(value, "127.0.0.0/8") || overlaps(value, "0.0.0.0/8")) return "is this machine itself; loopback is never allowed";
  if (overlaps(value, "169.254.0.0/16")) return "holds the metadata service; link-local is never allowed";
  return undefined;
}
