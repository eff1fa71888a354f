import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { gitFiles, mergeJson, renderGitConfig, type JsonMerge, type JsonObject } from "../../components/agent/provision-spec.ts";
import { tar } from "../../components/agent/tar.ts";

const folder = mkdtempSync(join(tmpdir(), "bt-agent-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const object = fc.dictionary(fc.stringMatching(/^[a-c]{1,2}$/), fc.jsonValue({ maxDepth: 2 })) as fc.Arbitrary<JsonObject>;
const merge: fc.Arbitrary<JsonMerge> = fc.record({ path: fc.constant("x.json"), set: object, defaults: object, include: fc.dictionary(fc.stringMatching(/^i$/), fc.array(fc.nat(3))) as fc.Arbitrary<JsonObject> });

describe("merging JSON", () => {
  it("changes nothing the second time", () => {
    fc.assert(fc.property(object, merge, (existing, wanted) => {
      const once = mergeJson(existing, wanted);
      expect(JSON.stringify(mergeJson(once, wanted))).toBe(JSON.stringify(once));
    }));
  });

  it("keeps every key that it does not name", () => {
    fc.assert(fc.property(object, merge, (existing, wanted) => {
      const result = mergeJson(existing, wanted);
      for (const [key, value] of Object.entries(existing)) {
        if (!(key in wanted.set!) && !(key in wanted.defaults!) && !(key in wanted.include!)) expect(result[key]).toEqual(value);
      }
    }));
  });

  it("takes another order of keys for no change", () => {
    const merge = { path: "x", set: { a: 1, b: { c: 2 } }, defaults: { d: 3 }, include: { e: [4] } };
    const text = '{"e":[4],"d":9,"b":{"z":0,"c":2},"a":1}';
    expect(JSON.stringify(mergeJson(JSON.parse(text) as JsonObject, merge))).toBe(text);
  });

  it("takes a key named __proto__ for a key", () => {
    const existing = JSON.parse('{"__proto__": {"polluted": true}}') as JsonObject;
    const result = mergeJson(existing, { path: "x", set: { a: 1 } });
    expect((result as { polluted?: boolean }).polluted).toBeUndefined();
    expect(JSON.stringify(result)).toBe('{"__proto__":{"polluted":true},"a":1}');
  });

  it("adds missing elements only, keeping order", () => {
    expect(mergeJson({ a: { b: ["x"] } }, { path: "x", include: { a: { b: ["y", "x"] } } })).toEqual({ a: { b: ["x", "y"] } });
  });
});

describe("git settings", () => {
  it("are read back by git as given", () => {
    const file = join(folder, "config");
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", " ", '"', "\\", "\n", "\t", "#", ";", "é", "'", "$", "="), maxLength: 12 }), fc.string({ unit: fc.constantFrom("a", "/", '"', "\\", ".", " ", "]"), maxLength: 8 }), (value, subsection) => {
        writeFileSync(file, renderGitConfig({ [`section.${subsection}.key`]: value }));
        expect(execFileSync("git", ["config", "--file", file, "--null", "--list"], { encoding: "utf8" })).toBe(`section.${subsection}.key\n${value}\0`);
      }),
      { numRuns: 60 },
    );
  });

  it("repeat a key for several values, and refuse what is no key", () => {
    expect(renderGitConfig({ "safe.directory": ["/workspace", "/workspace/*"] })).toBe('[safe]\n\tdirectory = "/workspace"\n[safe]\n\tdirectory = "/workspace/*"\n');
    expect(() => renderGitConfig({ "no key": "x" })).toThrow('git setting "no key": is no key of git\'s; write it as section.key or section.subsection.key');
  });

  it("stand in a file of their own, included first", () => {
    expect(gitFiles({ "user.name": "A" })).toEqual({
      files: [{ path: ".config/bottle/gitconfig", content: '[user]\n\tname = "A"\n' }],
      heads: [{ path: ".gitconfig", text: "[include]\n\tpath = ~/.config/bottle/gitconfig\n" }],
    });
  });
});

describe("tar", () => {
  it("is unpacked by the system's tar with names, modes and contents as given", () => {
    const long = `${"d".repeat(99)}/${"é".repeat(120)}/x y`;
    const file = join(folder, "a.tar");
    writeFileSync(file, tar([
      { path: "a", content: Buffer.from("one\n"), executable: true },
      { path: long, content: Buffer.alloc(513, 7) },
      { path: `${"p".repeat(100)}`, content: Buffer.alloc(0) },
    ]));
    const listing = execFileSync("tar", ["--numeric-owner", "--quoting-style=literal", "-tvf", file], { encoding: "utf8", env: { ...process.env, LC_ALL: "C.UTF-8" } });
    expect(listing.split("\n").map((line) => line.replace(/^(\S+) \S+ +(\d+) \S+ \S+ (.*)$/, "$1 $2 $3"))).toEqual([`-rwxr-xr-x 4 a`, `-rw-r--r-- 513 ${long}`, `-rw-r--r-- 0 ${"p".repeat(100)}`, ""]);
    expect(execFileSync("tar", ["-xOf", file, "a"], { encoding: "utf8" })).toBe("one\n");
  });
});
