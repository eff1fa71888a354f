// The containment suite can fail: against a bottle with every hole on purpose it reports them.
import { afterAll, beforeAll, expect, test } from "vitest";
import { classes, type Class, type Result } from "../contain/attempt.ts";
import { allAttempts } from "../contain/index.ts";
import { sound } from "../contain/report.ts";
import { contain, type Control } from "../contain/run.ts";
import { setUp, type Standing } from "../contain/setup.ts";
import { describeWith } from "../lib/parts.ts";

/** They wait for a proxy that bounds what it takes; the open one does not. */
const floods = ["8.connections", "8.slow-heads", "8.request-flood", "8.runtime-overwrite", "9.request-flood"];
/** At least so many of each class must be seen to get through. */
const expected: Record<Class, number> = { 1: 20, 2: 18, 3: 18, 4: 18, 5: 9, 6: 7, 7: 10, 8: 8, 9: 2, 10: 1 };
/** One for each hole that open.ts makes. */
const holes = [
  ...["1.raw-tcp-host", "1.raw-tcp-server", "1.no-default-route", "1.udp", "1.icmp", "1.raw-sockets", "1.curl-without-proxy", "1.claude-code-with-proxy", "1.apt-with-proxy"],
  ...["2.suffixed", "2.nul-byte", "2.ip-forms", "2.rebind-host-gateway", "2.names-resolve", "3.host-header", "3.sni-unlisted", "3.odd-ports", "3.redirect", "4.dot-segments", "4.method-override"],
  ...["5.body", "5.url", "6.environment", "6.files", "6.mounts", "6.authority-keys", "7.secret", "7.secret-in-the-middle", "7.other-refs", "7.host-runs-git"],
  ...["8.capabilities", "8.system-calls", "8.engine-sockets", "8.engine-files", "8.log-flood", "8.processes-flood", "8.pipelock-fetch", "9.edit-manifest", "9.tools", "10.agent-restart"],
];

describeWith(["engine", "base", "pipelock"], "containment of a deliberately open bottle", () => {
  const results = new Map<string, Result>();
  let standing: Standing | undefined;
  let controls: Control[] = [];

  beforeAll(async () => {
    standing = await setUp({ form: "open" });
    const run = await contain(standing.lab, allAttempts.filter(({ id, slow, last }) => !slow && !last && !floods.includes(id)));
    controls = run.controls;
    for (const result of run.results) results.set(result.attempt.id, result);
  });
  afterAll(() => standing?.remove());

  test.each(holes)("is seen to be open: %s", (id) => {
    const { verdict, seen } = results.get(id)!;
    expect(verdict, seen).toBe("escaped");
  });

  test.each(Object.entries(expected))("is seen to be open in class %s, at least %i times", (number, least) => {
    const escaped = [...results.values()].filter(({ attempt, verdict }) => attempt.class === Number(number) && verdict === "escaped");
    expect(escaped.length, classes[Number(number) as Class]).toBeGreaterThanOrEqual(least);
  });

  test("is no sound run, and neither is one without its holes: no egress puts a credential on", () => {
    const all = [...results.values()];
    expect(sound({ controls, results: all })).toBe(false);
    expect(sound({ controls, results: all.filter(({ verdict }) => verdict === "held") })).toBe(false);
  });
});
