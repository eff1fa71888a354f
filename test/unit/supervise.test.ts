// `supervise` and `expires`: what they change in a bottle, and what its two sides make of a request.
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { claudeMerges } from "../../components/agent/claude.ts";
import { mergeJson } from "../../components/agent/provision-spec.ts";
import { needsEgress, renderRules } from "../../components/egress/rules.ts";
import { CLAUDE_CODE_VERSION } from "../../components/manifest/schema.ts";
import { readManifest } from "../../components/manifest/manifest.ts";
import { changeFaults, parseRequest, sameness } from "../../components/supervise/request.ts";
import { bottleArgs, faultsOf } from "./fixtures.ts";
import { bottle, withoutEgress } from "./recorded-bottle.ts";

const now = new Date("2026-01-01T00:00:00Z");
const past = "2026-01-01T00:00:00Z";
const future = "2026-01-01T00:00:01Z";
const read = (network: object) => readManifest({ agent: { claude: { login: "none" } }, network }, undefined, now).network;

describe("expires", () => {
  it("leaves out what is past, and names it", () => {
    const network = read({
      hosts: [{ host: "a.example.com", expires: past }, { host: "b.example.com", expires: future }],
      routes: [{ host: "c.example.com", expires: past }, { host: "d.example.com", expires: future }],
    });
    expect([network.hosts, network.routes].map((list) => list.map(({ host }) => host))).toEqual([["b.example.com"], ["d.example.com"]]);
    expect(network.expired).toEqual(["bottle:network.hosts[0]", "bottle:network.routes[0]"]);
  });

  it("is egress's to enforce, which a host with an end therefore needs", () => {
    const { hosts, routes } = read({ hosts: [{ host: "b.example.com", expires: future }] });
    expect(needsEgress({ hosts, routes })).toBe(true);
    expect(parse(renderRules({ hosts, routes }))).toMatchObject({ hosts: [{ host: "b.example.com", inspect: true, expires: future }] });
  });

  it("may stand without quotes, which Pulumi takes for a time of its own", () => {
    expect(read({ hosts: [{ host: "b.example.com", expires: "2026-01-01 00:00:01 +0000 UTC" }] }).hosts[0]!.expires).toBe(future);
    expect(faultsOf({ network: { hosts: [{ host: "b.example.com", expires: "2026-01-01 00:00:01 +0100 +0100" }] } })).toHaveLength(1);
  });

  it("leaves no token of a route that is over", () => {
    const manifest = readManifest({ network: { routes: [{ host: "a.example.com", name: "a", expires: past, auth: { secret: "s" } }] } }, undefined, now);
    expect(manifest.secrets.size).toBe(0);
  });

  it.each(["2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00", "2026-02-30T00:00:00Z", "2026-01-01T24:00:01Z", "tomorrow"])("refuses %s", (expires) => {
    expect(faultsOf({ network: { hosts: [{ host: "a.example.com", expires }] } })).toEqual([expect.stringContaining('write it in UTC and in quotes: "2026-11-25T10:00:00Z"')]);
  });
});

describe("a bottle with supervise", () => {
  it("has the service, egress, and folders before it starts", async () => {
    const recorded = await bottle(bottleArgs({ ...withoutEgress, supervise: true }));
    const up = recorded.command("b-up");
    const { services } = parse(up.inputs["stdin"] as string) as { services: Record<string, { networks: object; environment: string[] }> };
    expect(Object.keys(services)).toEqual(["pipelock", "egress", "supervise", "agent"]);
    expect(services["supervise"]).toMatchObject({ networks: { internal: { ipv4_address: "10.192.4.69" } }, environment: [] });
    expect(services["egress"]!.environment).toContain("SUPERVISE=1");
    for (const name of ["b-supervise-image", "b-supervise-folders"]) expect(up.dependencies).toContain(recorded.command(name).urn);
  });

  it("leaves a bottle without it as it was", async () => {
    const recorded = await bottle(bottleArgs(withoutEgress));
    expect(recorded.commands.filter(({ name }) => name.includes("supervise"))).toEqual([]);
  });

  it("is known to Claude Code, and forgotten again", () => {
    const claude = { login: "none", permissionMode: "default", version: CLAUDE_CODE_VERSION, workspace: "/workspace" } as const;
    const [on, settings] = claudeMerges({ ...claude, supervise: "http://supervise:8090/mcp" });
    const [off] = claudeMerges(claude);
    const own = { mcpServers: { mine: { type: "http", url: "http://mine" } }, numStartups: 1 };
    const known = mergeJson(own, on!);
    expect(known).toMatchObject({ mcpServers: { ...own.mcpServers, supervise: { type: "http", url: "http://supervise:8090/mcp" } } });
    expect(mergeJson({}, settings!)).toMatchObject({ permissions: { allow: ["mcp__supervise"] } });
    expect(mergeJson(known, off!)).toMatchObject(own);
    expect(JSON.stringify(mergeJson(known, off!))).not.toContain("supervise");
    expect(JSON.stringify(mergeJson(mergeJson(own, off!), off!))).toBe(JSON.stringify(mergeJson(own, off!)));
  });
});

describe("a request's file", () => {
  const request = { format: 1, id: "rabcdefg", created_at: past, expires_at: future, kind: "host", change: { host: "a.example.com" }, why: "docs", for_seconds: null };
  const fault = (change: object, id = "rabcdefg") => (parseRequest(JSON.stringify({ ...request, ...change }), id) as { fault?: string }).fault;

  it("is taken as it is meant", () => {
    expect(parseRequest(JSON.stringify(request), "rabcdefg")).toEqual({ request });
  });

  it.each<[string, object, RegExp]>([
    ["an unknown key", { approved: true }, /unknown key "approved"/],
    ["an unknown kind", { kind: "root" }, /kind: is none of/],
    ["another id", { id: "rbbbbbbb" }, /another id than its name/],
    ["a change the manifest would refuse", { change: { host: "*.com" } }, /over-broad/],
    ["line breaks in the reason", { why: "a\nb" }, /line breaks/],
    ["an end for git", { kind: "git-branch", change: { upstream: "a", branches: ["b"] }, for_seconds: 3600 }, /no use for git/],
    ["too long a time", { for_seconds: 1e9 }, /too large/],
  ])("is malformed with %s", (_, change, message) => {
    expect(fault(change)).toMatch(message);
  });

  it("is never read beyond its limit", () => {
    expect(parseRequest(" ".repeat(65 * 1024), "rabcdefg")).toEqual({ fault: "is over 65536 bytes" });
  });

  it("cannot hold a secret's place, a private range or a folder of the host", () => {
    expect(changeFaults("route", { host: "a.example.com", auth: { secret: "s" } }).join()).toMatch(/unknown key "secret"|variable/);
    expect(changeFaults("host", { host: "a.example.com", private: ["10.0.0.0/8"] }).join()).toMatch(/unknown key "private"/);
    expect(changeFaults("git-upstream", { url: "FILE:///etc" }).join()).toMatch(/folder of the host/);
  });

  it("is the same whatever the order it is written in", () => {
    expect(sameness("route", { host: "a", methods: ["GET", "PUT"] })).toBe(sameness("route", { methods: ["PUT", "GET"], host: "a" }));
    expect(sameness("route", { host: "a", query: { a: "b" } })).not.toBe(sameness("route", { host: "a", query: { b: "a" } }));
  });
});
