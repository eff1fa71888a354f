import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { changeManifest, endedGrants } from "../../cli/requests/manifest-change.ts";

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
    expect(() => change({ kind: "host", change: { host: "api.github.com" } })).toThrow(/is also in hosts/);
    expect(() => change({ kind: "host", change: { host: "*.com" } })).toThrow(/hosts\[2\]/);
    expect(() => change({ kind: "git-branch", change: { upstream: "nobody", branches: ["x"] } })).toThrow(/has none of the name/);
    expect(() => change({ kind: "git-upstream", change: { url: "https://git.example.com/a.git" } }, "2030-01-01T00:00:00Z")).toThrow(/no end of its own/);
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
