import { describe, expect, it } from "vitest";
import { parse, parseDocument } from "yaml";
import { changeManifest } from "../../cli/manifest/manifest-change.ts";
import { endedGrants } from "../../cli/manifest/manifest-text.ts";
import { liftsInspection } from "../../cli/manifest/proxy-change.ts";

const manifest = `# the team's own
config:
  bottle:network:
    hosts: # each one was asked about
      - docs.example.com   # for the handbook
      - {host: old.example.com, expires: "2020-01-01T00:00:00Z"}
    routes:
      - host: api.github.com
        methods: [GET]
  bottle:git:
    upstreams:
      - {url: https://git.example.com/org/app.git, push: {branches: [agent/*]}, token: {variable: GIT_TOKEN}}
encryptionsalt: v1:abc
`;
const change = (asked: Parameters<typeof changeManifest>[2], until?: string, text = manifest) => changeManifest(text, "Pulumi.a.yaml", asked, { until });
const linesOf = (diff: string, sign: "+" | "-") => diff.split("\n").filter((line) => line.startsWith(sign) && !line.startsWith(sign.repeat(3)));

describe("a change of the manifest", () => {
  it("adds a host and touches no other line", () => {
    const { text, diff } = change({ kind: "host", change: { host: "new.example.com" } });
    expect(linesOf(diff, "+")).toEqual(["+      - new.example.com"]);
    expect(linesOf(diff, "-")).toEqual([]);
    expect(text).toContain("# the team's own");
    expect(text).toContain("encryptionsalt: v1:abc");
  });

  it("writes a grant's end in quotes: Pulumi's YAML would read a bare one as a time", () => {
    expect(linesOf(change({ kind: "host", change: { host: "new.example.com" } }, "2030-01-01T00:00:00Z").diff, "+")).toEqual(['+      - {host: new.example.com, expires: "2030-01-01T00:00:00Z"}']);
  });

  it("adds a route with all that was asked", () => {
    const asked = { host: "a.example.com", methods: ["GET"], paths: ["/v1/**"], auth: { variable: "A_TOKEN" } };
    const { text } = change({ kind: "route", change: asked });
    expect((parse(text) as { config: { "bottle:network": { routes: unknown[] } } }).config["bottle:network"].routes[1]).toEqual(asked);
  });

  it("adds branches to an upstream by its name, once", () => {
    const { diff } = change({ kind: "git-branch", change: { upstream: "app", branches: ["agent/*", "on"] } });
    expect(linesOf(diff, "+")).toEqual(['+      - {url: https://git.example.com/org/app.git, push: {branches: [agent/*, "on"]}, token: {variable: GIT_TOKEN}}']);
  });

  it("makes keys that are not there yet", () => {
    const { text } = change({ kind: "host", change: { host: "a.example.com" } }, undefined, "encryptionsalt: v1:abc\n");
    expect(parse(text)).toEqual({ encryptionsalt: "v1:abc", config: { "bottle:network": { hosts: ["a.example.com"] } } });
  });

  it("replaces a grant of that host which has ended", () => {
    const { diff } = change({ kind: "host", change: { host: "old.example.com" } });
    expect(linesOf(diff, "-")).toEqual(['-      - {host: old.example.com, expires: "2020-01-01T00:00:00Z"}']);
    expect(linesOf(diff, "+")).toEqual(["+      - old.example.com"]);
  });

  it("refuses what the manifest refuses, with its words", () => {
    expect(() => change({ kind: "host", change: { host: "docs.example.com" } })).toThrow(/is there already as hosts\[0\]/);
    expect(() => change({ kind: "host", change: { host: "*.com" } })).toThrow(/hosts\[2\]/);
    expect(() => change({ kind: "git-branch", change: { upstream: "nobody", branches: ["x"] } })).toThrow(/has none of the name/);
    expect(() => change({ kind: "git-upstream", change: { url: "git@git.example.com:org/b.git" } })).toThrow(/is reached by ssh and needs identityFile/);
    expect(() => change({ kind: "git-upstream", change: { url: "https://git.example.com/a.git" } }, "2030-01-01T00:00:00Z")).toThrow(/no end of its own/);
  });

  it("adds how git-gate logs in, which no agent asks for", () => {
    const git = (asked: Parameters<typeof changeManifest>[2], login: object) => linesOf(changeManifest(manifest, "Pulumi.a.yaml", asked, { login }).diff, "+");
    expect(git({ kind: "git-upstream", change: { url: "git@git.example.com:org/b.git" } }, { identityFile: "keys/b", knownHosts: "~/.ssh/known_hosts" })).toEqual([
      '+      - {url: "git@git.example.com:org/b.git", identityFile: keys/b, knownHosts: "~/.ssh/known_hosts"}',
    ]);
    expect(git({ kind: "git-branch", change: { upstream: "app", tags: ["v*"] } }, { token: "OTHER_TOKEN" })).toEqual([
      '+      - {url: https://git.example.com/org/app.git, push: {branches: [agent/*], tags: ["v*"]}, token: {variable: "OTHER_TOKEN"}}',
    ]);
  });

  describe("of a host that is allowed already", () => {
    const network = (...lines: string[]) => `config:\n  bottle:network:\n${lines.map((line) => `    ${line}\n`).join("")}`;
    const after = (text: string, asked: Parameters<typeof changeManifest>[2], until?: string) => (parse(change(asked, until, text).text) as { config: Record<string, unknown> }).config["bottle:network"];
    const hosts = network("hosts: [a.example.com, b.example.com]");
    const routes = network("routes:", "  - {host: a.example.com, methods: [GET]}", "  - {host: b.example.com}");

    it("lifts its inspection, wherever it stands, and nothing else", () => {
      const asked = { kind: "host", change: { host: "a.example.com", inspect: false } } as const;
      expect(after(hosts, asked)).toEqual({ hosts: [{ host: "a.example.com", inspect: false }, "b.example.com"] });
      expect(after(routes, asked)).toEqual({ routes: [{ host: "a.example.com", methods: ["GET"], inspect: false }, { host: "b.example.com" }] });
      expect(() => change(asked, "2030-01-01T00:00:00Z", hosts)).toThrow(/cannot be lifted for a time/);
      expect(liftsInspection(parseDocument(hosts), asked, Date.now())).toBe(true);
      expect(liftsInspection(parseDocument(hosts), { kind: "host", change: { host: "c.example.com", inspect: false } }, Date.now())).toBe(false);
      expect(liftsInspection(parseDocument(manifest), { kind: "host", change: { host: "old.example.com", inspect: false } }, Date.now())).toBe(false);
    });

    it("allows it as a whole beside its routes", () => {
      const asked = { kind: "host", change: { host: "a.example.com" } } as const;
      expect(after(routes, asked)).toEqual({ routes: [{ host: "a.example.com", methods: ["GET"] }, { host: "b.example.com" }, { host: "a.example.com" }, { host: "a.example.com", scheme: "http" }] });
      const expires = "2030-01-01T00:00:00Z";
      expect(after(routes, asked, expires)).toMatchObject({ routes: [{}, {}, { host: "a.example.com", expires }, { host: "a.example.com", scheme: "http", expires }] });
    });

    it("adds a route to a host that was allowed as a whole, and still is", () => {
      const asked = { kind: "route", change: { host: "a.example.com", port: 8443 } } as const;
      expect(after(hosts, asked)).toEqual({ hosts: ["b.example.com"], routes: [{ host: "a.example.com" }, { host: "a.example.com", scheme: "http" }, { host: "a.example.com", port: 8443 }] });
    });

    it("keeps all rules of a host inspected, or none", () => {
      const passed = network("routes: [{host: a.example.com, methods: [GET], inspect: false}]");
      expect(after(passed, { kind: "route", change: { host: "a.example.com", methods: ["POST"] } })).toMatchObject({ routes: [{}, { methods: ["POST"], inspect: false }] });
      expect(after(hosts, { kind: "route", change: { host: "a.example.com", methods: ["GET"], paths: ["/ws"], websocket: true, inspect: false } })).toMatchObject({ routes: [{ inspect: false }, { inspect: false }, { websocket: true, inspect: false }] });
    });
  });

  it("takes a Pulumi secret for what it is", () => {
    const text = 'config:\n  bottle:network:\n    routes:\n      - {host: a.example.com, auth: {secret: {secure: v1:xyz}}}\n';
    expect(change({ kind: "host", change: { host: "b.example.com" } }, undefined, text).text).toContain("secure: v1:xyz");
  });

  it("reads scalars as Pulumi writes them back", () => {
    const text = 'config:\n  bottle:supervise: "true"\n  bottle:network: {hosts: [a.example.com]}\n';
    expect(change({ kind: "host", change: { host: "b.example.com" } }, undefined, text).text).toContain("[a.example.com, b.example.com]");
    expect(() => change({ kind: "host", change: { host: "b.example.com" } }, undefined, text.replace("true", "maybe"))).toThrow(/bottle:supervise: is a string/);
  });

  it("knows the grants that have ended", () => {
    expect(endedGrants(manifest)).toEqual(["old.example.com (ended 2020-01-01T00:00:00Z)"]);
  });
});
