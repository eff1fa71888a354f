// Which path globs a manifest may name. egress matches canonical paths only and refuses a whole
// rules file for a glob that no canonical path could match (egress/image/egress/rules): the same is
// refused here, already in preview.

const MEND = "write an absolute path such as /v1/messages, /v1/* (one segment) or /v1/** (any depth)";

/** Says what is wrong with a path glob, or undefined where it is fine. */
export function globFault(glob: string): string | undefined {
  if (!glob.startsWith("/")) return `is not a path glob; ${MEND}`;
  if (/[\s\\#\x00-\x1f\x7f]/.test(glob)) return `holds a character that no canonical path has; ${MEND}`;
  if (glob.includes("?")) return "holds a query; put it under query";
  if (/%(?![0-9a-f]{2})/i.test(glob)) return "has a % that begins no encoded byte; write %25 for the sign itself";
  const bare = glob.split("/").map((part) => part.split(";")[0]!); // some servers drop ;parameters
  if (bare.some((part) => part === "." || part === "..")) return `has a dot segment; ${MEND}`;
  if (glob.includes("//") || bare.slice(1, -1).includes("")) return `has an empty segment; ${MEND}`;
  if (glob.split("/").some((part) => part.includes("**") && part !== "**")) return `has ** inside a segment; ${MEND}`;
  if (!isUtf8(glob)) return "has encoded bytes that are not UTF-8; percent-encode the UTF-8 form";
  if (lookAlike.test(decodeURIComponent(glob))) return `has a look-alike of a dot, slash, percent sign or semicolon; ${MEND}`;
  const encoded = encodedFault(glob);
  return encoded && `has ${encoded}, which no canonical path has; ${MEND}`;
}

/** Dots, backslashes and control characters at any depth of encoding; a slash may be encoded once. */
function encodedFault(glob: string): string | undefined {
  for (let text = glob, depth = 0; depth < 4; depth++) {
    for (const [, hex] of text.matchAll(/%([0-9a-f]{2})/gi)) {
      const byte = Number.parseInt(hex!, 16);
      if (byte < 0x20 || byte === 0x7f) return "an encoded control character";
      if (byte === 0x2e || byte === 0x5c) return "an encoded dot or backslash";
      if (byte === 0x2f && depth > 0) return "a slash encoded twice";
    }
    const decoded = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (decoded === text) return undefined;
    text = decoded;
  }
  return "an encoding many layers deep";
}

/** Dots, slashes, percent signs… that some servers fold to ASCII. */
const lookAlike = /[．。․‥…／∕⁄＼﹨％﹪；]/;

function isUtf8(glob: string): boolean {
  try {
    decodeURIComponent(glob);
    return true;
  } catch {
    return false;
  }
}
