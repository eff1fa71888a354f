// Lines that pipelock 2.3.0 wrote: allowed, refused for a secret in its URL (taken out), refused host, refused for a
// secret in its body; killed; one more allowed and one with a secret, then its closing checkpoint.
import { createPrivateKey, createPublicKey } from "node:crypto";
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { anchor } from "../../cli/audit/log.ts";
import { checkPipelock } from "../../cli/audit/pipelock.ts";
import { verify } from "../../cli/audit/verify.ts";
import { closeEvidence, closedChains, EVIDENCE_LIMIT, evidenceStopped, liveEvidence, recorderFiles } from "../../components/pipelock/evidence.ts";
import { newReceiptKey } from "../../components/pipelock/receipt-key.ts";
import { temporaryFolder } from "./fixtures.ts";

const recorded = join(import.meta.dirname, "recorded");
let root: string;
let evidence: string;
let first: string;
let second: string;

beforeEach(() => {
  root = temporaryFolder();
  vi.stubEnv("XDG_CONFIG_HOME", join(root, "config"));
  evidence = join(root, "evidence/pipelock");
  record();
});

afterEach(() => vi.unstubAllEnvs());

/** As pipelock writes it into its folder. */
function record(): void {
  const live = liveEvidence(evidence);
  mkdirSync(live, { recursive: true });
  cpSync(recorded, live, { recursive: true });
  [first, second] = recorderFiles(live) as [string, string];
}
const edit = (file: string, change: (lines: string[]) => string[]) => writeFileSync(file, change(readFileSync(file, "utf8").split("\n").slice(0, -1)).map((line) => `${line}\n`).join(""));
/** Of that time, and begun before or after it. */
const startedAt = "2026-11-25T08:00:00.5Z";
const written = (file: string, when: string) => utimesSync(file, new Date(when), new Date(when));

describe("pipelock's chain", () => {
  it("is whole as written, over a restart, with what was taken out of it", () => {
    expect(checkPipelock(evidence)).toMatchObject({ lines: 7, chained: true, fromStart: true, broken: [], odd: [] });
    expect(readFileSync(first, "utf8")).toContain('"target":"[REDACTED]"');
  });

  it.each([
    ["one byte changed", (all: string[]) => all.map((line) => line.replace("evil.example", "good.example")), [3], "was changed"],
    ["a line changed with its hash", (all: string[]) => all.map((line, index) => (index === 1 ? line.replace(/"hash":"./, '"hash":"0') : line)), [2, 3], "prev_hash"],
    ["a line taken out", (all: string[]) => all.filter((_, index) => index !== 1), [2], "prev_hash"],
    ["lines exchanged", (all: string[]) => [all[0]!, all[2]!, all[1]!, all[3]!], [2, 3, 4], "prev_hash"],
    ["the first lines cut off", (all: string[]) => all.slice(2), [1], "prev_hash"],
    ["a line that is none", (all: string[]) => [...all, "{}"], [5], "no line"],
  ])("shows %s, and where", (_what, tamper, at, says) => {
    edit(first, tamper);
    const { broken } = checkPipelock(evidence);
    const lines = broken.flatMap((finding) => /proxy-0\.jsonl:(\d+):/.exec(finding)?.[1] ?? []).map(Number);
    expect([...new Set(lines)]).toEqual(at);
    expect(broken.join()).toContain(says);
  });

  it("names a line that was cut short while writing, and takes it for no tampering", () => {
    appendFileSync(second, '{"v":1,"seq":7');
    expect(checkPipelock(evidence)).toMatchObject({ lines: 7, broken: [], odd: [expect.stringContaining("proxy-4.jsonl: does not end with a whole line")] });
  });

  it("begins anew after each chain that was closed; one that is missing between them shows", () => {
    for (let closed = 0; closed < 3; closed++) {
      closeEvidence(evidence);
      record();
    }
    expect(checkPipelock(evidence)).toMatchObject({ lines: 28, fromStart: true, broken: [], odd: [] });
    rmSync(join(evidence, "chain-2"), { recursive: true });
    expect(checkPipelock(evidence).broken).toEqual([expect.stringContaining("chain-3: the chain before it is missing")]);
    rmSync(join(evidence, "chain-1"), { recursive: true });
    expect(checkPipelock(evidence)).toMatchObject({ fromStart: false, broken: [], odd: [expect.stringContaining("deleted for space")] });
  });

  it("is anchored: cut at its end, or gone, it does not pass", () => {
    const verdict = () => verify(root).find(({ file }) => file === "evidence/pipelock")?.verdict;
    anchor(root);
    closeEvidence(evidence);
    expect(verdict()).toBe("whole");
    edit(recorderFiles(join(evidence, "chain-1")).at(-1)!, (all) => all.slice(0, -1));
    expect(verdict()).toBe("broken");
    rmSync(evidence, { recursive: true });
    expect(verdict()).toBe("missing");
  });
});

describe("closing a chain", () => {
  it("moves it out of pipelock's sight, and does nothing where there is none", () => {
    closeEvidence(evidence);
    closeEvidence(evidence);
    expect(closedChains(evidence)).toEqual([1]);
    expect(recorderFiles(liveEvidence(evidence))).toEqual([]);
    expect(recorderFiles(join(evidence, "chain-1"))).toHaveLength(2);
  });

  it("keeps no more than 256 MiB of closed ones, the newest", () => {
    for (let closed = 0; closed < 9; closed++) {
      record();
      truncateSync(second, EVIDENCE_LIMIT - 10_000);
      closeEvidence(evidence);
    }
    expect(closedChains(evidence)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    expect(existsSync(join(evidence, "chain-1"))).toBe(false);
  });
});

describe("whether pipelock records", () => {
  it("does where it began a file since its start, or wrote into the one it has open", () => {
    for (const when of ["2026-11-25T08:00:01Z", "2026-11-25T09:00:00Z"]) {
      written(second, when);
      expect(evidenceStopped(evidence, startedAt)).toBeUndefined();
    }
    rmSync(evidence, { recursive: true });
    expect(evidenceStopped(evidence, startedAt)).toBeUndefined();
  });

  it.each([
    ["a receipt that a secret was taken from", () => {}, true],
    ["a receipt that is whole", () => edit(second, (all) => all.slice(0, 1)), false],
    ["a line cut short", () => (edit(second, (all) => all.slice(0, 1)), appendFileSync(second, '{"v":1')), true],
    ["a line longer than it reads", () => (edit(second, (all) => all.slice(0, 1)), appendFileSync(second, `${JSON.stringify({ type: "decision", detail: "a".repeat(2 ** 20) })}\n`)), true],
    ["a checkpoint after a whole receipt", () => edit(second, (all) => [all[0]!, all[2]!]), false],
  ])("started after %s: stopped %#", (_what, change, stopped) => {
    change();
    written(second, "2026-11-25T07:59:59Z");
    const why = evidenceStopped(evidence, startedAt);
    expect(why).toEqual(stopped ? "it cannot go on with the evidence from before its start" : undefined);
    closeEvidence(evidence);
    expect(evidenceStopped(evidence, startedAt)).toBeUndefined();
  });

  it("does not once its file is full, wherever that lies", () => {
    truncateSync(second, EVIDENCE_LIMIT);
    written(second, "2026-11-25T08:10:00Z");
    expect(evidenceStopped(evidence, startedAt)).toContain("limit of 32 MiB");
    closeEvidence(evidence);
    expect(evidenceStopped(evidence, startedAt)).toContain("limit of 32 MiB");
    expect(evidenceStopped(evidence, "2026-11-25T08:20:00Z")).toBeUndefined();
  });
});

it("makes a key in pipelock's notation: a seed and the public key that belongs to it", () => {
  const [header, encoded] = newReceiptKey().trim().split("\n");
  expect(header).toBe("pipelock-ed25519-private-v1");
  const bytes = Buffer.from(encoded!, "base64");
  const seed = createPrivateKey({ key: { kty: "OKP", crv: "Ed25519", d: bytes.subarray(0, 32).toString("base64url"), x: bytes.subarray(32).toString("base64url") }, format: "jwk" });
  expect(createPublicKey(seed).export({ format: "jwk" }).x).toBe(bytes.subarray(32).toString("base64url"));
  expect(newReceiptKey()).not.toBe(newReceiptKey());
});
