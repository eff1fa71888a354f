import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { needsEgress, renderRules } from "../../components/egress/rules.ts";
import { readManifest, type Manifest } from "../../components/manifest/manifest.ts";
import * as arbitrary from "./arbitraries.ts";
import { manifestOf } from "./fixtures.ts";

interface Rules {
  revision: string;
  strip_headers: string[];
  hosts: { host: string; inspect?: boolean }[];
  routes: { name: string; host: string; query?: Record<string, string>; paths?: string[]; auth?: { token: string } }[];
}
const network = (value: object) => manifestOf({ network: value }).network;
const rules = (value: object) => parse(renderRules(network(value))) as Rules;

describe("rules.yaml", () => {
  it("of a bottle with hosts and routes", async () => {
    const text = renderRules(
      network({
        hosts: ["docs.example.com", { host: "*.example.org", inspect: false }],
        routes: [
          { host: "api.example.com", methods: ["GET", "POST"], paths: ["/v1/**", "/v2/*/x"], query: { beta: "true" }, auth: { variable: "API_TOKEN" } },
          { host: "api.example.com", paths: ["/public"] },
          { host: "git.example.com", inspect: false, websocket: true, auth: { secret: "s3cret", scheme: "basic", username: "git", optional: true } },
          { host: "old.example.com", scheme: "http", port: 8080 },
        ],
      }),
    );
    await expect(text).toMatchFileSnapshot("snapshots/rules.yaml");
    expect(text).not.toContain("s3cret");
  });

  it("takes off, everywhere, what some route puts on", () => {
    const auth = { variable: "T" };
    const value = { routes: [{ host: "a.example.com", auth: { ...auth, header: "X-Api-Key" } }, { host: "b.example.com", auth }, { host: "c.example.com", auth }] };
    expect(rules(value).strip_headers).toEqual(["authorization", "x-api-key"]);
    expect(rules({ routes: [{ host: "a.example.com" }] }).strip_headers).toEqual([]);
  });

  it("has the same revision for the same rules, another for others", () => {
    const value = { routes: [{ host: "a.example.com", paths: ["/a"] }] };
    expect(rules(value).revision).toBe(rules(value).revision);
    expect(rules(value).revision).toMatch(/^[0-9a-f]{16}$/);
    expect(rules(value).revision).not.toBe(rules({ routes: [{ host: "a.example.com", paths: ["/b"] }] }).revision);
  });

  it("keeps every route, in order, just as the manifest reads", () => {
    fc.assert(
      fc.property(arbitrary.network(), (value) => {
        let manifest: Manifest;
        try {
          manifest = readManifest({ network: value });
        } catch {
          return;
        }
        const rendered = parse(renderRules(manifest.network)) as Rules;
        expect(rendered.hosts.map(({ host, inspect }) => [host, inspect ?? false])).toEqual(manifest.network.hosts.map(({ host, inspect }) => [host, inspect]));
        expect(rendered.routes.map(({ name, host, paths, query, auth }) => ({ name, host, paths, query, token: auth?.token }))).toEqual(
          manifest.network.routes.map(({ name, host, paths, query, auth }) => ({ name, host, paths, query, token: auth?.token })),
        );
      }),
    );
  });

  // egress reads YAML with ruamel, which takes a bare `=` and `<<` for more than text.
  it.each(["=", "<<"])("quotes the query value %s", (value) => {
    expect(renderRules(network({ routes: [{ host: "a.example.com", query: { x: value } }] }))).toMatch(/x"?: (["'])(=|<<)\1/);
  });
});

describe("needsEgress", () => {
  it.each([
    [{ hosts: ["a.example.com"] }, false],
    [{}, false],
    [{ hosts: ["a.example.com", "*.example.org"] }, true],
    [{ hosts: [{ host: "a.example.com", inspect: false }] }, true],
    [{ hosts: ["api.openai.com"] }, true],
    [{ routes: [{ host: "a.example.com" }] }, true],
  ])("%j: %s", (value, expected) => {
    expect(needsEgress(network(value))).toBe(expected);
  });
});
