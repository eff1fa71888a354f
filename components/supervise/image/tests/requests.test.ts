// The store of requests: files in, files out, and every limit.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ID } from "../../request.ts";
import { limits } from "../src/limits.ts";
import { Refused, Requests } from "../src/requests.ts";

const HOUR = 3_600_000;
let folder: string;
let now: number;
const open = () => new Requests(join(folder, "requests"), join(folder, "answers"), () => now);
const answer = (id: string, extra: object = {}) =>
  writeFileSync(
    join(folder, "answers", `${id}.json`),
    JSON.stringify({ format: 1, id, decision: "approved", decided_at: "2026-01-01T00:00:10Z", by: "ann", why: null, granted: { host: "a.example.com" }, until: null, confirmed: true, ...extra }),
  );

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "supervise-"));
  mkdirSync(join(folder, "requests"));
  mkdirSync(join(folder, "answers"));
  now = Date.parse("2026-01-01T00:00:00Z");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a request is one whole file, for its owner alone", () => {
  const { request } = open().file("host", { host: "a.example.com" }, "to  read\nthe docs", 3600);
  assert.match(request.id, ID);
  assert.deepEqual(readdirSync(join(folder, "requests")), [`${request.id}.json`]);
  const path = join(folder, "requests", `${request.id}.json`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), {
    format: 1,
    id: request.id,
    created_at: "2026-01-01T00:00:00Z",
    expires_at: "2026-01-02T00:00:00Z",
    kind: "host",
    change: { host: "a.example.com" },
    why: "to read the docs",
    for_seconds: 3600,
  });
});

describe("refused is, and nothing is written", () => {
  const wrong: [string, () => unknown, RegExp][] = [
    ["a host that names every host", () => open().file("host", { host: "*" }, "x", null), /every host/],
    ["a secret instead of a variable's name", () => open().file("route", { host: "a.example.com", auth: { variable: "ghp_16C7e42F292c6912E7710c838347Ae178B4a" } }, "x", null), /looks like a token/],
    ["a credential on plain http", () => open().file("route", { host: "a.example.com", scheme: "http", auth: { variable: "T" } }, "x", null), /plain http/],
    ["a key that the manifest has, but no request", () => open().file("route", { host: "a.example.com", private: ["10.0.0.0/8"] } as never, "x", null), /unknown key "private"/],
    ["a folder of the host", () => open().file("git-upstream", { url: "file:///etc" }, "x", null), /folder of the host/],
    ["a git branch that is none", () => open().file("git-branch", { upstream: "app", branches: ["../x"] }, "x", null), /not a branch/],
    ["nothing to push", () => open().file("git-branch", { upstream: "app" }, "x", null), /names no branch/],
    ["a change that is too long", () => open().file("route", { host: "a.example.com", paths: Array.from({ length: 32 }, (_, n) => `/${n}${"x".repeat(1000)}`) }, "x", null), /over 8192 bytes/],
    ["a reason that turns text around", () => open().file("host", { host: "a.example.com" }, "good \u202e bad", null), /control characters/],
    ["a reason with an escape sequence", () => open().file("host", { host: "a.example.com" }, "\u001b[2Jx", null), /control characters/],
    ["a git request with an end", () => open().file("git-branch", { upstream: "app", branches: ["a"] }, "x", 3600), /no use for git/],
  ];
  for (const [name, act, message] of wrong) {
    test(name, () => {
      assert.throws(act, (error: Error) => error instanceof Refused && message.test(error.message) && !error.message.includes("ghp_"));
      assert.deepEqual(readdirSync(join(folder, "requests")), []);
    });
  }
});

test("the same request twice is one, whatever its order, until it is answered", () => {
  const requests = open();
  const first = requests.file("route", { host: "a.example.com", methods: ["GET", "PUT"] }, "x", null);
  const again = requests.file("route", { methods: ["PUT", "GET"], host: "a.example.com" }, "other words", null);
  assert.deepEqual([again.request.id, again.repeated], [first.request.id, true]);
  answer(first.request.id, { decision: "rejected", granted: null });
  assert.equal(requests.file("route", { host: "a.example.com", methods: ["GET", "PUT"] }, "x", null).repeated, false);
});

test("so many may be open, so many filed within an hour, also over a restart", () => {
  for (let n = 0; n < limits.open; n++) open().file("host", { host: `a${n}.example.com` }, "x", null);
  assert.throws(() => open().file("host", { host: "b.example.com" }, "x", null), /20 requests are open/);
  for (const name of readdirSync(join(folder, "requests"))) answer(name.slice(0, -5));
  for (let n = limits.open; n < limits.anHour; n++) open().file("host", { host: `a${n}.example.com` }, "x", null);
  for (const name of readdirSync(join(folder, "requests"))) answer(name.slice(0, -5));
  now += HOUR / 2;
  assert.throws(() => open().file("host", { host: "b.example.com" }, "x", null), /next is possible in 30 minutes/);
  now += HOUR / 2;
  assert.equal(open().file("host", { host: "b.example.com" }, "x", null).repeated, false);
});

test("an unanswered request expires after a day", () => {
  const requests = open();
  const { request } = requests.file("host", { host: "a.example.com" }, "x", null);
  now += 24 * HOUR;
  assert.equal(requests.state(request.id)!.status, "expired");
});

test("files that are none of its own are left alone, half-written ones go", () => {
  writeFileSync(join(folder, "requests", "raaaaaaa.json"), "{");
  writeFileSync(join(folder, "requests", "other"), "x");
  writeFileSync(join(folder, "requests", "rbbbbbbb.tmp"), "x");
  assert.deepEqual(open().list(), []);
  assert.deepEqual(readdirSync(join(folder, "requests")).sort(), ["other", "raaaaaaa.json"]);
});

test("closed requests beyond those that are kept go", () => {
  const requests = open();
  for (let n = 0; n < limits.kept + 60; n++) {
    answer(requests.file("host", { host: `a${n}.example.com` }, "x", null).request.id, { decision: "rejected", granted: null });
    now += HOUR / 20;
  }
  assert.ok(readdirSync(join(folder, "requests")).length <= limits.kept + limits.anHour);
});

describe("wait", () => {
  test("ends with the answer", async () => {
    const requests = open();
    const { request } = requests.file("host", { host: "a.example.com" }, "x", null);
    setTimeout(() => answer(request.id), 100);
    const state = await requests.wait(request.id, 600, new AbortController().signal);
    assert.equal(state!.status, "approved");
    assert.equal(state!.answer!.confirmed, true);
  });

  test("ends with the seconds, with the caller, and at once where there is nothing to wait for", async () => {
    const requests = new Requests(join(folder, "requests"), join(folder, "answers"));
    const { request } = requests.file("host", { host: "a.example.com" }, "x", null);
    assert.equal((await requests.wait(request.id, 0, new AbortController().signal))!.status, "open");
    assert.equal(await requests.wait("raaaaaaa", 600, new AbortController().signal), undefined);
    const gone = new AbortController();
    setTimeout(() => gone.abort(), 20);
    await assert.rejects(requests.wait(request.id, 600, gone.signal), { name: "AbortError" });
  });

  test("takes no more at once than it may, and frees their places", async () => {
    const requests = new Requests(join(folder, "requests"), join(folder, "answers"));
    const { request } = requests.file("host", { host: "a.example.com" }, "x", null);
    const gone = new AbortController();
    const waiting = Array.from({ length: limits.waiting }, () => requests.wait(request.id, 600, gone.signal).catch(() => {}));
    await assert.rejects(requests.wait(request.id, 600, gone.signal), Refused);
    gone.abort();
    await Promise.all(waiting);
    assert.equal((await requests.wait(request.id, 0, new AbortController().signal))!.status, "open");
  });

  test("takes an answer that is not whole, or another's, for none", () => {
    const requests = open();
    const { request } = requests.file("host", { host: "a.example.com" }, "x", null);
    writeFileSync(join(folder, "answers", `${request.id}.json`), '{"format": 1,');
    assert.equal(requests.state(request.id)!.status, "open");
    answer(request.id, { id: "raaaaaaa" });
    assert.equal(requests.state(request.id)!.status, "open");
  });
});
