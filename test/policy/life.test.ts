// Rules about a bottle's life: what policies read is there, everything has its labels, each project its teardown guard.
import { describe, expect, it } from "vitest";
import { inputsKnown } from "../../policies/life/inputs-known.ts";
import { labelsSet } from "../../policies/life/labels-set.ts";
import { teardownGuard } from "../../policies/life/teardown-guard.ts";
import { COMMAND, findings, labels, NETWORK, networks, NOT_KNOWN, up, type Subject } from "./harness.ts";

describe("inputs-known", () => {
  const certificate: Subject = { type: "tls:index/selfSignedCert:SelfSignedCert", name: "ca", props: {} };

  it("takes commands that are known, and keys and certificates that come later", async () => {
    expect(await findings(inputsKnown, [up(), certificate, { type: COMMAND, name: "files", props: { create: "x", stdin: NOT_KNOWN }, from: { stdin: ["ca"] } }])).toEqual([]);
  });

  it("takes what no rule reads: environment and triggers", async () => {
    expect(await findings(inputsKnown, { type: COMMAND, props: { create: "x", environment: { A: NOT_KNOWN }, triggers: NOT_KNOWN } })).toEqual([]);
  });

  it("reports stdin that may be a Compose file", async () => {
    const network: Subject = { type: NETWORK, name: "net", props: {} };
    for (const from of [{}, { stdin: ["net"] }, { stdin: ["ca", "net"] }] as Subject["from"][]) {
      expect(await findings(inputsKnown, [network, certificate, { type: COMMAND, name: "up", props: { create: "x", stdin: NOT_KNOWN }, from }])).toEqual([expect.stringMatching(/^stdin: is not known .* so the policies that read it could not run/)]);
    }
  });

  it.each(["create", "update", "delete"])("reports %s that is not known", async (key) => {
    expect(await findings(inputsKnown, { type: COMMAND, props: { create: "x", [key]: NOT_KNOWN } })).toEqual([expect.stringMatching(new RegExp(`^${key}: is not known`))]);
  });
});

describe("labels-set", () => {
  it("takes what is labelled", async () => {
    expect(await findings(labelsSet, [...networks, up({}, { volumes: { home: { labels }, other: { external: true } } }), up({ labels: Object.entries(labels).map(([name, value]) => `${name}=${value}`) })])).toEqual([]);
  });

  it.each<[string, Subject]>([
    ["labels: lacks bottle.project, bottle.stack, bottle.instance", { type: NETWORK, props: {} }],
    ["labels: lacks bottle.stack, bottle.instance", { type: NETWORK, props: { labels: [{ label: "bottle.project", value: "b" }] } }],
    ["stdin: services.agent.labels: lacks bottle.instance", up({ labels: { ...labels, "bottle.instance": "" } })],
    ["stdin: volumes.home.labels: lacks bottle.project", up({}, { volumes: { home: null } })],
    ["stdin: networks.own.labels: lacks bottle.project", up({}, { networks: { own: { internal: true } } })],
    ["stdin: build.labels: lacks bottle.project", { type: COMMAND, props: { create: "x", stdin: JSON.stringify({ image: "a:1", build: { context: "/x" } }) } }],
    ["labels: is not known before the update", { type: NETWORK, props: { labels: NOT_KNOWN } }],
  ])("reports %s", async (start, subject) => {
    const messages = await findings(labelsSet, subject);
    expect(messages).toHaveLength(1);
    expect(messages[0]!.startsWith(start), messages[0]).toBe(true);
  });

  it("has its labels from the team's configuration", async () => {
    expect(await findings(labelsSet, up(), { labels: ["cost-centre"] })).toEqual([expect.stringContaining("lacks cost-centre;")]);
  });
});

describe("teardown-guard", () => {
  const guard = (script: string, name = "guard"): Subject => ({ type: COMMAND, name, props: { create: ":", delete: script } });
  const after = (...dependsOn: string[]): Subject => ({ ...up(), dependsOn });

  it("takes a guard that was made before, directly or by others, in any spelling", async () => {
    for (const script of ["docker compose -p b down", "docker compose -p 'b' down --remove-orphans", 'docker-compose --project-name="b" down', "x\ndocker compose --project-name b down\ny"]) {
      expect(await findings(teardownGuard, [guard(script), after("guard")])).toEqual([]);
    }
    expect(await findings(teardownGuard, [guard("docker compose -p b down"), { type: NETWORK, name: "net", props: {}, dependsOn: ["guard"] }, after("net")])).toEqual([]);
  });

  it("reports a project without one", async () => {
    expect(await findings(teardownGuard, up())).toEqual([expect.stringContaining("delete: has no teardown guard")]);
  });

  it("reports a guard that comes later, that is another project's, or that takes nothing down", async () => {
    expect(await findings(teardownGuard, [guard("docker compose -p b down"), up()])).toHaveLength(1);
    for (const script of ["docker compose -p b2 down", "docker compose -p b-old down", "docker compose -p b logs", "echo docker; compose -p b down"]) {
      expect(await findings(teardownGuard, [guard(script), after("guard")])).toHaveLength(1);
    }
  });

  it("reports a delete of up's own: it never runs after a failed up", async () => {
    const own = { ...up(), props: { ...up().props, delete: "docker compose -p b down" } };
    expect(await findings(teardownGuard, own)).toHaveLength(1);
  });

  it("finds the project's name on the command line, and reports none", async () => {
    const stdin = String(up({}, { name: undefined }).props["stdin"]);
    const named: Subject = { type: COMMAND, name: "up", props: { create: "docker compose --project-name b --file - up", stdin }, dependsOn: ["guard"] };
    expect(await findings(teardownGuard, [guard("docker compose -p b down"), named])).toEqual([]);
    expect(await findings(teardownGuard, up({}, { name: undefined }))).toEqual([expect.stringContaining("stdin: name: is missing")]);
  });
});
