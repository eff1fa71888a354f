import { describe, expect, it } from "vitest";
import type { Change } from "../../cli/requests/request.ts";
import { globCovers, wider } from "../../cli/requests/wider.ts";

describe("an edited request", () => {
  const host = (change: object) => ({ kind: "host", change }) as Change;
  const route = (change: object) => ({ kind: "route", change: { host: "a.example.com", ...change } }) as Change;
  const branch = (change: object) => ({ kind: "git-branch", change: { upstream: "app", ...change } }) as Change;

  it.each<[string, Change, Change]>([
    ["the same", route({ methods: ["GET"], paths: ["/v1/*"] }), route({ methods: ["GET"], paths: ["/v1/*"] })],
    ["one host of many", host({ host: "*.example.com" }), host({ host: "a.b.example.com" })],
    ["fewer methods and paths", route({ methods: ["GET", "POST"], paths: ["/v1/**"] }), route({ methods: ["GET"], paths: ["/v1/models"] })],
    ["methods where any was asked for", route({}), route({ methods: ["GET"] })],
    ["more of a query", route({ query: { a: "1" } }), route({ query: { a: "1", b: "2" } })],
    ["the default port", route({}), route({ scheme: "https", port: 443 })],
    ["without a token", route({ auth: { variable: "T" } }), route({})],
    ["one branch of many", branch({ branches: ["agent/*"] }), branch({ branches: ["agent/one"] })],
    ["an LLM API, which nobody reads by default", host({ host: "api.openai.com" }), host({ host: "api.openai.com", inspect: false })],
  ])("may be %s", (_, asked, granted) => expect(wider(asked, granted)).toEqual([]));

  it.each<[string, Change, Change, string]>([
    ["another host", host({ host: "a.example.com" }), host({ host: "b.example.com" }), "host: b.example.com is not within a.example.com"],
    ["all hosts of one", host({ host: "a.example.com" }), host({ host: "*.example.com" }), "host: *.example.com is not within a.example.com"],
    ["a host that nobody reads", host({ host: "a.example.com" }), host({ host: "a.example.com", inspect: false }), "inspect: nobody would read what the agent sends there"],
    ["any method", route({ methods: ["GET"] }), route({}), "methods: any, though only GET was asked for"],
    ["more methods", route({ methods: ["GET"] }), route({ methods: ["GET", "PUT"] }), "methods: PUT was not asked for"],
    ["more paths", route({ paths: ["/v1/*"] }), route({ paths: ["/v1/**"] }), "paths: /v1/** was not asked for"],
    ["less of a query", route({ query: { a: "1" } }), route({}), "query.a: is to be as it was asked; add others beside it"],
    ["another port", route({}), route({ port: 8443 }), "scheme, port: are others"],
    ["WebSockets", route({}), route({ websocket: true }), "websocket: was not asked for"],
    ["a token", route({}), route({ auth: { variable: "T" } }), "auth: is another one; leave it as it was asked, or take it out"],
    ["another upstream", branch({ branches: ["x"] }), { kind: "git-branch", change: { upstream: "other", branches: ["x"] } } as Change, "upstream: is another one"],
    ["more branches", branch({ branches: ["agent/*"] }), branch({ branches: ["agent/*", "main"] }), "branches: main was not asked for"],
    ["tags", branch({ branches: ["x"] }), branch({ branches: ["x"], tags: ["v1"] }), "tags: v1 was not asked for"],
  ])("may not be %s", (_, asked, granted, line) => expect(wider(asked, granted)).toEqual([line]));

  it("has globs within others, by what they match", () => {
    expect(globCovers("/a/*/c", "/a/b*/c")).toBe(true);
    expect(globCovers("/a/**", "/a/*/b/**")).toBe(true);
    expect(globCovers("/a/*", "/a/b/c")).toBe(false);
    expect(globCovers("/a/*/*", "/a/**")).toBe(false);
    expect(globCovers("/a.c", "/abc")).toBe(false);
    expect(globCovers("/a/b", "/a/*")).toBe(false);
  });
});
