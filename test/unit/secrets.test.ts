import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { REVISION_FILE, memoryFolder, secretRevision } from "../../components/machine/secrets.ts";
import { temporaryFolder } from "./fixtures.ts";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const values = (entries: Record<string, string | undefined>) => new Map(Object.entries(entries));

/** A folder as write-tokens leaves it. */
function filled(tokens: Record<string, string>, revision: string | undefined = "revision-1"): string {
  const folder = temporaryFolder();
  for (const [id, value] of Object.entries(tokens)) writeFileSync(join(folder, id), value);
  if (revision !== undefined) writeFileSync(join(folder, REVISION_FILE), revision);
  return folder;
}

describe("secretRevision", () => {
  it("stays where the folder holds just these tokens", () => {
    const folder = filled({ A: "one", B: "two" });
    expect(secretRevision(folder, values({ A: "one", B: "two" }))).toBe("revision-1");
    expect(secretRevision(filled({ A: "one" }), values({ A: "one", UNSET: undefined }))).toBe("revision-1");
    expect(secretRevision(filled({ A: "one" }), values({ A: "one", EMPTY: "" }))).toBe("revision-1");
  });

  it.each<[string, Record<string, string>, Record<string, string | undefined>]>([
    ["a token changed", { A: "one" }, { A: "two" }],
    ["a token is new", { A: "one" }, { A: "one", B: "two" }],
    ["a token is no longer set", { A: "one", B: "two" }, { A: "one", B: undefined }],
    ["a token that no route uses any more is there", { A: "one", B: "two" }, { A: "one" }],
    ["a token's file is missing", {}, { A: "one" }],
  ])("is a new one where %s", (_, stored, now) => {
    const revision = secretRevision(filled(stored), values(now));
    expect(revision).toMatch(uuid);
    expect(secretRevision(filled(stored), values(now)), "random, so that it tells nothing of the tokens").not.toBe(revision);
  });

  it("is a new one where the machine was restarted: the folder is gone, or empty", () => {
    const folder = filled({ A: "one" });
    rmSync(join(folder, REVISION_FILE));
    expect(secretRevision(folder, values({ A: "one" }))).toMatch(uuid);
    expect(secretRevision(join(folder, "gone"), values({ A: "one" }))).toMatch(uuid);
  });

  it("tells of a machine without such a folder, and of a bottle without tokens", () => {
    expect(secretRevision(undefined, values({ A: "one" }))).toBe("inherited");
    expect(secretRevision(undefined, values({}))).toBe("none");
    expect(secretRevision(filled({ A: "one" }), values({}))).toBe("none");
  });

  it("never is made from a token", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "x"));
    expect(secretRevision(join(folder, "x"), values({ A: "s3cret" }))).not.toContain("s3cret");
  });
});

it("memoryFolder: in memory, one a user and bottle", () => {
  // Every Linux has /dev/shm; where a test runs on another system, there is none.
  const folder = memoryFolder("0123abcd", 4_000_000);
  expect(folder).toBe(process.platform === "linux" ? "/dev/shm/bottle-4000000/0123abcd" : undefined);
});
