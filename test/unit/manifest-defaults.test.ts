import { describe, expect, it } from "vitest";
import { readManifest } from "../../components/manifest/manifest.ts";
import type { Config } from "./fixtures.ts";

const host = "api.example.com";
const network = (value: object): Config => ({ network: value });
const agent = (value: object): Config => ({ agent: value });

describe("defaults", () => {
  it("need no key at all", () => {
    expect(readManifest({})).toMatchInlineSnapshot(`
      {
        "agent": {
          "claude": {
            "login": "api-key",
            "permissionMode": "acceptEdits",
            "version": "2.1.331",
          },
          "env": {},
          "filesystem": "read-only",
          "inheritEnv": [],
          "kind": "preset",
          "limits": {
            "memory": "4g",
            "pids": 2048,
          },
          "runtime": "runc",
          "skills": [],
          "workspace": {
            "mode": "none",
          },
        },
        "git": {
          "limits": {
            "connections": 32,
            "file": 104857600,
            "memory": "1g",
            "pack": 536870912,
            "refs": 50,
            "scanSeconds": 300,
          },
          "upstreams": [],
        },
        "gitSecrets": Map {},
        "images": {
          "base": "debian:trixie-slim",
          "pipelock": "ghcr.io/luckypipewrench/pipelock:2.3.0",
        },
        "network": {
          "expired": [],
          "hosts": [],
          "packages": [],
          "pool": "10.192.0.0/12",
          "routes": [
            {
              "auth": {
                "header": "x-api-key",
                "optional": true,
                "scheme": "raw",
                "source": "variable",
                "token": "ANTHROPIC_API_KEY",
              },
              "host": "api.anthropic.com",
              "inspect": false,
              "methods": [
                "GET",
                "POST",
              ],
              "name": "claude",
              "paths": [
                "/v1/messages",
                "/v1/messages/count_tokens",
                "/v1/models",
                "/v1/models/*",
                "/api/claude_code/settings",
                "/api/claude_code/policy_limits",
              ],
              "port": 443,
              "private": [],
              "scheme": "https",
              "websocket": false,
            },
          ],
        },
        "secrets": Map {},
        "supervise": false,
        "trust": {},
      }
    `);
  });

  it("copy a workspace whose path is given", () => {
    expect(readManifest(agent({ workspace: { path: "." } })).agent.workspace).toEqual({ mode: "copy", path: "." });
  });

  it("put the subscription's token on as a bearer", () => {
    const { routes } = readManifest(agent({ claude: { login: "subscription" } })).network;
    expect(routes[0]!.auth).toEqual({ token: "CLAUDE_CODE_OAUTH_TOKEN", source: "variable", scheme: "bearer", header: "authorization", optional: true });
  });

  it.each<[string, Config]>([
    ["login is none", agent({ claude: { login: "none" } })],
    ["the agent is an image", agent({ image: "alpine:3" })],
    ["the agent is built", agent({ build: { context: "." } })],
    ["the API is a route already", network({ routes: [{ host: "api.anthropic.com", paths: ["/v1/messages"] }] })],
    ["the API is allowed already", network({ hosts: ["*.anthropic.com"] })],
  ])("have no route of Claude's where %s", (_, config) => {
    expect(readManifest(config).network.routes.map(({ name }) => name)).not.toContain("claude");
  });

  it("pass LLM APIs through and inspect all else", () => {
    const { hosts } = readManifest(network({ hosts: ["api.openai.com", host, { host: "openrouter.ai", inspect: true }, { host: "b.example.com", inspect: false }] })).network;
    expect(hosts.map(({ inspect }) => inspect)).toEqual([false, true, true, false]);
  });

  it("tell routes of one host apart by name", () => {
    const { routes } = readManifest({
      agent: { claude: { login: "api-key" } },
      network: { routes: [{ host }, { host, paths: ["/a"] }, { host: "*.example.com", name: "api-example-com-2" }, { host: "_x.example.com" }, { host, paths: ["/b"], name: "claude" }] },
    }).network;
    expect(routes.map(({ name }) => name)).toEqual(["api-example-com", "api-example-com-3", "api-example-com-2", "x-example-com", "claude", "claude-2"]);
  });

  it("keep a secret apart, under an id that egress takes", () => {
    const manifest = readManifest(network({ routes: [{ host, name: "the-api", auth: { secret: "s3cret" } }] }), (key) => key === "network");
    expect(manifest.secrets).toEqual(new Map([["secret_the_api", "s3cret"]]));
    expect(JSON.stringify(manifest.network)).not.toContain("s3cret");
    expect(manifest.network.routes[0]!.auth).toEqual({ token: "secret_the_api", source: "secret", scheme: "bearer", header: "authorization", optional: false });
  });

  it("write a header's name in lower case, and http on port 80", () => {
    const { routes } = readManifest(network({ routes: [{ host, auth: { variable: "TOKEN", header: "X-Api-Key", scheme: "raw" } }, { host, scheme: "http" }] })).network;
    expect(routes[0]).toMatchObject({ port: 443, auth: { header: "x-api-key" } });
    expect(routes[1]).toMatchObject({ port: 80 });
  });
});
