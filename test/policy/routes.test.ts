// Rules about what a bottle may reach, read from the manifest and from what sidecars are handed.
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { authNarrowed } from "../../policies/routes/auth-narrowed.ts";
import { authOverTls } from "../../policies/routes/auth-over-tls.ts";
import { noBroadHosts } from "../../policies/routes/no-broad-hosts.ts";
import { passthroughListed } from "../../policies/routes/passthrough-listed.ts";
import { reachBounded } from "../../policies/routes/reach-bounded.ts";
import { COMMAND, findings, root, stackConfig, type Subject } from "./harness.ts";

/** What a policy reports of a manifest's `bottle:network`. */
async function ofManifest(policy: Parameters<typeof findings>[0], network: object, settings?: object): Promise<string[]> {
  stackConfig({ "bottle:network": network });
  return findings(policy, root, settings);
}

const pipelock = (config: object): Subject => ({ type: COMMAND, props: { create: "x", stdin: stringify({ api_allowlist: ["api.example.com"], tls_interception: { passthrough_domains: [] }, ...config }) } });
const egress = (rules: object): Subject => ({ type: COMMAND, props: { create: "x", stdin: stringify({ revision: "0", strip_headers: [], hosts: [], routes: [], ...rules }) } });

describe("no-broad-hosts", () => {
  it.each(["*", "*.com", "*.co.uk", "*.github.io", "10.0.0.1", "localhost", "api.*.com", "", "*.amazonaws.com", "*.s3.amazonaws.com", "*.storage.googleapis.com"])("reports %s, as host and in a route", async (host) => {
    expect(await ofManifest(noBroadHosts, { hosts: [host], routes: [{ host }] })).toEqual([expect.stringMatching(/^bottle:network\.hosts\[0\]\.host: /), expect.stringMatching(/^bottle:network\.routes\[0\]\.host: /)]);
  });

  it("takes names, and wildcards over one owner's domain", async () => {
    expect(await ofManifest(noBroadHosts, { hosts: ["api.example.com", { host: "*.example.org" }], routes: [{ host: "bucket.s3.amazonaws.com" }] })).toEqual([]);
  });

  it("counts wildcards", async () => {
    expect(await ofManifest(noBroadHosts, { hosts: ["*.a.example.com", "*.b.example.com"] }, { maxWildcards: 1 })).toEqual([expect.stringContaining("bottle:network: has 2 wildcards, more than 1")]);
  });

  it("reads what sidecars are handed, where there is no manifest", async () => {
    expect(await findings(noBroadHosts, pipelock({ api_allowlist: ["ok.example.com", "*"] }))).toEqual([expect.stringContaining("stdin: api_allowlist[1]: ")]);
    expect(await findings(noBroadHosts, egress({ routes: [{ host: "*.com" }] }))).toEqual([expect.stringContaining("stdin: routes[0].host: ")]);
  });

  it("reports what the manifest says there alone", async () => {
    stackConfig({ "bottle:network": { hosts: ["*.com"] } });
    expect(await findings(noBroadHosts, [root, pipelock({ api_allowlist: ["*.com"] })])).toEqual([expect.stringContaining("bottle:network.hosts[0].host")]);
  });
});

describe("auth-over-tls", () => {
  const auth = { variable: "TOKEN" };

  it("reports a credential over http", async () => {
    expect(await ofManifest(authOverTls, { routes: [{ host: "a.example.com", scheme: "http", auth }] })).toEqual([expect.stringContaining("bottle:network.routes[0].scheme: ")]);
    expect(await findings(authOverTls, egress({ routes: [{ host: "a.example.com", scheme: "http", auth: { token: "T" } }] }))).toEqual([expect.stringContaining("stdin: routes[0].scheme: ")]);
  });

  it("takes https, and http without one", async () => {
    expect(await ofManifest(authOverTls, { routes: [{ host: "a.example.com", auth }, { host: "b.example.com", scheme: "https", auth }, { host: "c.example.com", scheme: "http" }] })).toEqual([]);
  });
});

describe("auth-narrowed", () => {
  const route = (change: object) => ({ routes: [{ host: "a.example.com", auth: { variable: "TOKEN" }, ...change }] });

  it("reports routes whose token serves every method", async () => {
    expect(await ofManifest(authNarrowed, route({}))).toEqual([expect.stringContaining("bottle:network.routes[0].methods: ")]);
    expect(await ofManifest(authNarrowed, route({ methods: [] }))).toHaveLength(1);
    expect(await ofManifest(authNarrowed, route({ methods: ["GET"] }))).toEqual([]);
    expect(await ofManifest(authNarrowed, { routes: [{ host: "a.example.com" }] })).toEqual([]);
  });

  it("asks for paths where the team does", async () => {
    expect(await ofManifest(authNarrowed, route({ methods: ["GET"] }), { paths: true })).toEqual([expect.stringContaining("bottle:network.routes[0].paths: ")]);
  });

  it("is advisory", () => {
    expect(authNarrowed.enforcementLevel).toBe("advisory");
  });
});

describe("passthrough-listed", () => {
  it("reports hosts and routes that are not on the list", async () => {
    expect(await ofManifest(passthroughListed, { hosts: [{ host: "docs.example.com", inspect: false }], routes: [{ host: "git.example.com", inspect: false }] })).toEqual([
      expect.stringContaining("bottle:network.hosts[0].inspect: "),
      expect.stringContaining("bottle:network.routes[0].inspect: "),
    ]);
  });

  it("takes LLM hosts, what is inspected and what the team lists", async () => {
    expect(await ofManifest(passthroughListed, { hosts: ["docs.example.com", { host: "api.anthropic.com", inspect: false }] })).toEqual([]);
    expect(await ofManifest(passthroughListed, { hosts: [{ host: "docs.example.com", inspect: false }] }, { allowed: ["*.example.com"] })).toEqual([]);
    expect(await ofManifest(passthroughListed, { hosts: [{ host: "*.example.com", inspect: false }] }, { allowed: ["docs.example.com"] })).toHaveLength(1);
  });

  it("reads pipelock's configuration, and takes mirrors only where the manifest has packages and the team takes them", async () => {
    const handed = pipelock({ tls_interception: { passthrough_domains: ["mirror.example.com"] } });
    expect(await findings(passthroughListed, handed)).toEqual([expect.stringContaining("stdin: tls_interception.passthrough_domains[0]: ")]);
    stackConfig({ "bottle:network": { packages: ["npm"] } });
    expect(await findings(passthroughListed, handed)).toEqual([]);
    expect(await findings(passthroughListed, handed, { packages: false })).toHaveLength(1);
  });
});

describe("reach-bounded", () => {
  const soon = new Date(Date.now() + 3_600_000).toISOString();
  const late = new Date(Date.now() + 8 * 24 * 3_600_000).toISOString();

  it("bounds the number of hosts and routes", async () => {
    const network = { hosts: ["a.example.com", "b.example.com"], routes: [{ host: "c.example.com" }, { host: "d.example.com" }] };
    expect(await ofManifest(reachBounded, network)).toEqual([]);
    expect(await ofManifest(reachBounded, network, { maxHosts: 1, maxRoutes: 1 })).toEqual([expect.stringContaining("bottle:network.hosts: has 2 entries, more than 1"), expect.stringContaining("bottle:network.routes: has 2 entries, more than 1")]);
  });

  it("bounds the life of temporary grants", async () => {
    expect(await ofManifest(reachBounded, { routes: [{ host: "a.example.com", expires: soon }] })).toEqual([]);
    expect(await ofManifest(reachBounded, { routes: [{ host: "a.example.com", expires: late }], hosts: [{ host: "b.example.com", until: "2020-01-01T00:00:00Z" }, { host: "c.example.com", expires: "tomorrow" }] })).toEqual([
      expect.stringContaining("bottle:network.hosts[0].until: has passed"),
      expect.stringContaining("bottle:network.hosts[1].expires: is no time"),
      expect.stringContaining("bottle:network.routes[0].expires: is more than 7 days away"),
    ]);
    expect(await ofManifest(reachBounded, { routes: [{ host: "a.example.com", expires: late }] }, { maxGrantDays: 30 })).toEqual([]);
  });
});

it("no message holds a value", async () => {
  const canary = "CANARY-7f3a";
  const entry = { host: canary, inspect: false, scheme: canary, auth: { variable: canary }, expires: canary };
  for (const policy of [authNarrowed, authOverTls, noBroadHosts, passthroughListed, reachBounded]) {
    for (const message of await ofManifest(policy, { hosts: [entry], routes: [entry] })) expect(message).not.toContain(canary);
  }
});
