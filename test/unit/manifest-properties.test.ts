import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ManifestError, readManifest, type Manifest } from "../../components/manifest/manifest.ts";
import * as arbitrary from "./arbitraries.ts";

/** The manifest, or the message of its refusal. Anything else thrown is a bug of the reader. */
function read(config: Record<string, unknown>): Manifest | string {
  try {
    return readManifest(config);
  } catch (error) {
    if (error instanceof ManifestError) return error.message;
    throw error;
  }
}

function accepted(check: (manifest: Manifest) => void): void {
  let count = 0;
  fc.assert(
    fc.property(arbitrary.network(), (network) => {
      const manifest = read({ network });
      if (typeof manifest === "string") return;
      count++;
      check(manifest);
    }),
    { numRuns: 1000 },
  );
  expect(count, "manifests that were accepted").toBeGreaterThan(100);
}

describe("an accepted manifest", () => {
  it("names hosts as egress and pipelock take them", () => {
    accepted(({ network }) => {
      for (const { host } of [...network.hosts, ...network.routes]) expect(host).toMatch(/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+$/);
    });
  });

  it("tells its routes apart by name, and names tokens as egress takes them", () => {
    accepted(({ network, secrets }) => {
      const names = network.routes.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) expect(name).toMatch(/^[a-z0-9][a-z0-9-]{0,62}$/);
      const tokens = network.routes.flatMap(({ auth }) => auth ?? []);
      for (const { token } of tokens) expect(token).toMatch(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/);
      expect([...secrets.keys()].sort()).toEqual(tokens.filter(({ source }) => source === "secret").map(({ token }) => token).sort());
    });
  });

  it("puts credentials on over TLS alone", () => {
    accepted(({ network }) => {
      for (const route of network.routes) if (route.auth) expect(route.scheme).toBe("https");
    });
  });

  it("inspects no host that pipelock passes through", () => {
    accepted(({ network }) => {
      const all = [...network.hosts, ...network.routes];
      const passedThrough = (host: string) =>
        all.some((other) => !other.inspect && (other.host === host || (other.host.startsWith("*.") && `.${host.replace(/^\*\./, "")}`.endsWith(other.host.slice(1)))));
      for (const { host, inspect } of all) if (inspect) expect(passedThrough(host), host).toBe(false);
    });
  });
});

describe("nothing of a token", () => {
  // Long and odd enough to be found again wherever it is printed.
  const token = fc.string({ unit: fc.constantFrom(..."Qq7/@:+%$'\"\\ \n"), minLength: 12, maxLength: 40 });
  const pieces = (text: string) => [text.slice(0, 8), text.slice(-8)].filter((piece) => piece.trim().length >= 6);
  const silent = (config: (token: string) => Record<string, unknown>) =>
    fc.assert(
      fc.property(token, (text) => {
        const result = read(config(text));
        const printed = typeof result === "string" ? result : JSON.stringify(result.network);
        for (const piece of pieces(text)) expect(printed).not.toContain(piece);
      }),
      { numRuns: 500 },
    );
  const route = (value: object) => ({ network: { routes: [{ host: "api.example.com", ...value }] } });

  it("in auth.secret is printed or kept with its route", () => silent((text) => route({ auth: { secret: text } })));
  it("in auth.secret is printed where the manifest is refused", () => silent((text) => route({ port: 0, auth: { secret: text, variable: "A" } })));
  it("pasted into auth.variable is printed", () => silent((text) => route({ auth: { variable: text } })));
  it("pasted into auth.header is printed", () => silent((text) => route({ auth: { variable: "A", header: text } })));
  it("pasted into inheritEnv is printed", () => silent((text) => ({ agent: { inheritEnv: [text] } })));
  it("before the @ of a host is printed", () => silent((text) => ({ network: { hosts: [`https://user:${text}@example.com/`, `${text}@example.com`] } })));
  it("under any manifest is printed", () => {
    fc.assert(
      fc.property(arbitrary.network(fc.constant("s3cret-Value")), (network) => {
        const result = read({ network });
        expect(typeof result === "string" ? result : JSON.stringify(result)).not.toContain("s3cret");
      }),
      { numRuns: 1000 },
    );
  });
});

it("answers any input with a manifest or a fault that names its key", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("agent", "network", "trust", "images", "other"), fc.anything()), (config) => {
      const result = read(config);
      if (typeof result === "string") for (const line of result.split("\n  - ").slice(1)) expect(line).toMatch(/^bottle(:(agent|network|trust|images)[^ ]*.*)?: ./s);
    }),
    { numRuns: 1000 },
  );
});
