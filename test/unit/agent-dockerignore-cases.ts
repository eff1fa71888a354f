/** .dockerignore files with paths they leave out and paths they do not. */
export const dockerignoreCases: readonly { readonly name: string; readonly lines: readonly string[]; readonly out: readonly string[]; readonly stays: readonly string[] }[] = [
  { name: "names at the root only", lines: ["a.txt", "/b"], out: ["a.txt", "b/x"], stays: ["sub/a.txt", "sub/b/x", "aa.txt"] },
  { name: "comments, blank lines, blanks around", lines: ["# a", "", "  b  ", "#c"], out: ["b"], stays: ["# a", "#c"] },
  { name: "one star stays in a segment", lines: ["*.md", "x/*/y"], out: ["r.md", "x/1/y"], stays: ["d/r.md", "x/1/2/y"] },
  { name: "a directory takes what is in it", lines: ["dir", "dir2/"], out: ["dir/a/b", "dir2/a"], stays: ["dirx"] },
  { name: "two stars", lines: ["**/node_modules", "**/*.log", "t/**"], out: ["node_modules/a", "a/b/node_modules/c", "x.log", "a/x.log", "t/a/b"], stays: ["node_modulesx/a", "tt"] },
  { name: "exceptions, the last line wins", lines: ["*", "!src", "src/*.key", "!src/ok.key"], out: ["a", "b/c", "src/x.key"], stays: ["src/a", "src/d/e", "src/ok.key"] },
  { name: "an exception for a file below", lines: ["docs/**", "!docs/keep/*.md"], out: ["docs/a", "docs/keep/a.txt"], stays: ["docs/keep/a.md"] },
  { name: "question marks and classes", lines: ["f?.c", "[a-c]x", "[^z]y"], out: ["f1.c", "bx", "ay"], stays: ["f12.c", "dx", "zy"] },
  { name: "escapes and odd characters", lines: ["a\\*b", "c+d", "e(f)", "g$"], out: ["a*b", "c+d", "e(f)", "g$"], stays: ["axb", "ccd", "ef"] },
  { name: "paths are cleaned", lines: ["./p//q/", "r/../s"], out: ["p/q", "s"], stays: ["r"] },
  { name: "names that are not ASCII", lines: ["ä*", "?ö"], out: ["äb", "äö"], stays: ["aö b"] },
];
