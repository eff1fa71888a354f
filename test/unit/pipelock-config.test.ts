import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readManifest } from "../../components/manifest/manifest.ts";
import { renderPipelockConfig } from "../../components/pipelock/config.ts";
import * as arbitrary from "./arbitraries.ts";
import { manifestOf } from "./fixtures.ts";

const guests = "10.192.4.104/29";
interface Config {
  mode: string;
  enforce: boolean;
  api_allowlist: string[];
  tls_interception: { passthrough_domains: string[] };
  request_body_scanning: { sensitive_headers: string[] };
  ssrf: { ip_allowlist: string[] };
}
const render = (network: object) => {
  const { hosts, routes } = manifestOf({ network }).network;
  return renderPipelockConfig({ guests, hosts, routes });
};
const config = (network: object) => parse(render(network)) as Config;

describe("pipelock.yaml", () => {
  it("of a bottle with hosts and routes", async () => {
    const text = render({
      hosts: ["docs.example.com", { host: "*.example.org", inspect: false }, "api.openai.com"],
      routes: [
        { host: "api.example.com", auth: { variable: "API_TOKEN" }, private: ["10.7.0.0/16"] },
        { host: "llm.example.com", inspect: false, auth: { variable: "LLM_TOKEN", header: "x-api-key", scheme: "raw" } },
      ],
    });
    await expect(text).toMatchFileSnapshot("snapshots/pipelock.yaml");
  });

  it("of a bottle that may reach nothing: enforced, with a name that never resolves, as pipelock takes no empty list", () => {
    expect(config({})).toMatchObject({ mode: "strict", enforce: true, api_allowlist: ["nothing.invalid"], tls_interception: { passthrough_domains: [] }, ssrf: { ip_allowlist: [guests] } });
  });

  it("looks for secrets in every credential header but those that egress writes on inspected hosts", () => {
    const headers = (inspect: boolean) => config({ routes: [{ host: "api.example.com", inspect, auth: { variable: "T", header: "X-Api-Key", scheme: "raw" } }] }).request_body_scanning.sensitive_headers;
    expect(headers(false)).toEqual(["authorization", "cookie", "x-api-key", "x-token", "proxy-authorization", "x-goog-api-key"]);
    expect(headers(true)).toEqual(["authorization", "cookie", "x-token", "proxy-authorization", "x-goog-api-key"]);
  });

  it("lets names resolve to the bottle's guests and the named private ranges only", () => {
    const { ssrf } = config({ hosts: [{ host: "a.example.com", private: ["10.1.0.0/16"] }], routes: [{ host: "b.example.com", private: ["10.1.0.0/16", "192.168.0.0/16"] }] });
    expect(ssrf.ip_allowlist).toEqual(["10.1.0.0/16", guests, "192.168.0.0/16"]);
  });

  it("is the same whatever the order of hosts: no reload for nothing", () => {
    expect(render({ hosts: ["a.example.com", "b.example.com"] })).toBe(render({ hosts: ["b.example.com", "a.example.com"] }));
  });

  it("allows just the manifest's hosts, and passes through just those not inspected", () => {
    fc.assert(
      fc.property(arbitrary.network(), (network) => {
        let manifest;
        try {
          manifest = readManifest({ network });
        } catch {
          return;
        }
        const { hosts, routes } = manifest.network;
        const rendered = parse(renderPipelockConfig({ guests, hosts, routes })) as Config;
        const all = [...hosts, ...routes];
        expect(new Set(rendered.api_allowlist)).toEqual(new Set(all.length === 0 ? ["nothing.invalid"] : all.map(({ host }) => host)));
        expect(new Set(rendered.tls_interception.passthrough_domains)).toEqual(new Set(all.filter(({ inspect }) => !inspect).map(({ host }) => host)));
      }),
    );
  });
});
