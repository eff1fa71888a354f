// Which files a .dockerignore keeps out, by Docker's rules
// (https://docs.docker.com/build/concepts/context/#dockerignore-files, github.com/moby/patternmatcher).
// Docker itself applies the file when it builds; this only tells which tracked files it will leave out. Pure.
import { posix } from "node:path";

/** Says whether a path, relative and with slashes, is kept out. */
export type Ignores = (path: string) => boolean;

export function parseDockerignore(text: string): Ignores {
  const patterns = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .filter((line) => !line.startsWith("#"))
    .flatMap((line) => {
      let pattern = line.trim();
      const keep = pattern.startsWith("!");
      if (keep) pattern = pattern.slice(1).trim();
      if (pattern === "") return [];
      pattern = posix.normalize(pattern).replace(/^\//, "").replace(/(.)\/$/, "$1");
      return pattern === "" || pattern === "." ? [] : [{ keep, expression: expression(pattern) }];
    });
  return (path) => {
    // A pattern that matches a parent directory matches everything in it.
    const parts = path.split("/");
    const candidates = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
    let ignored = false;
    for (const { keep, expression } of patterns) {
      if (ignored === keep && candidates.some((candidate) => expression.test(candidate))) ignored = !keep;
    }
    return ignored;
  };
}

/** Go's filepath.Match, and `**` for any number of directories. */
function expression(pattern: string): RegExp {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!;
    if (char === "*" && pattern[at + 1] === "*") {
      at++;
      if (pattern[at + 1] === "/") at++;
      source += at + 1 >= pattern.length ? ".*" : "(?:.*/)?";
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "[") {
      const end = pattern.indexOf("]", at + (pattern[at + 1] === "^" ? 3 : 2));
      if (end < 0) return /$^/; // Docker refuses the whole file; the build says so
      source += `[${pattern.slice(at + 1, end).replace(/\\(?=[^\\\]^-])/g, "")}]`;
      at = end;
    } else {
      const literal = char === "\\" && at + 1 < pattern.length ? pattern[++at]! : char;
      source += literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    }
  }
  return new RegExp(`^${source}$`, "s");
}
