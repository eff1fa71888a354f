import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { covers, hostFault } from "../../components/manifest/hosts.ts";
import { faultsOf } from "./fixtures.ts";

const ip = "is an IP address; name the host instead, so that certificates and rules can be checked";
const wrongWildcard = "has a wildcard in the wrong place; only one leading label may be *, as in *.example.com";
const noName = "is not a host name; write it as api.example.com or *.example.com";
const broad = (name: string) => `is over-broad: anybody can have a name under "${name}"; name the hosts, or *.<one owner's domain>.${name}`;

describe("hostFault", () => {
  it.each(["example.com", "api.example.com", "*.example.com", "a_b.example.com", "xn--e1afmkfd.xn--p1ai", "1password.com", "*.me.github.io", "0.pool.ntp.org"])("takes %s", (host) => {
    expect(hostFault(host)).toBeUndefined();
  });

  it.each([
    ["", "is empty; name a host such as api.example.com"],
    ["*", "would allow every host; name the hosts"],
    ["*.", "would allow every host; name the hosts"],
    ["*.*", "would allow every host; name the hosts"],
    ["*.com", broad("com")],
    ["*.co.uk", broad("co.uk")],
    ["*.github.io", broad("github.io")],
    ["*.s3.amazonaws.com", broad("s3.amazonaws.com")],
    ["*.*.example.com", wrongWildcard],
    ["api.*.com", wrongWildcard],
    ["**.example.com", wrongWildcard],
    ["api*.example.com", wrongWildcard],
    ["127.0.0.1", ip],
    ["127.0.0.1.", ip],
    ["10.0.0.1:443", ip],
    ["2130706433", ip],
    ["0x7f000001", ip],
    ["0x7f.1", ip],
    ["127.1", ip],
    ["0177.0.0.1", ip],
    ["::1", ip],
    ["[::1]", ip],
    ["[::1]:443", ip],
    ["::ffff:127.0.0.1", ip],
    ["fe80::1%eth0", ip],
    ["*.0.0.1", ip],
    ["https://api.example.com", 'has a scheme; write only the host: "api.example.com"'],
    ["HTTPS://API.example.com:8443/v1?x=1", 'has a scheme; write only the host: "api.example.com"'],
    ["https://127.0.0.1/", "has a scheme; write only the host"],
    ["https://user:pw@api.example.com", "has a scheme; write only the host"],
    ["api.example.com/v1", 'has a path; write only the host and put the path in a route: "api.example.com"'],
    ["user:p/w@example.com", "has a path; write only the host and put the path in a route"],
    ["user:pw@api.example.com", "has user information; credentials go in a route's auth"],
    ["api.example.com:443", 'has a port; write "api.example.com" and put the port in a route\'s port'],
    ["api.example.com:", 'has a port; write "api.example.com" and put the port in a route\'s port'],
    ["api.example.com.", 'ends in a dot; write "api.example.com"'],
    ["пример.рф", 'is not ASCII; write its punycode form "xn--e1afmkfd.xn--p1ai"'],
    ["Example.com", 'has upper-case letters; write "example.com"'],
    ["example", "has no dot: it would name this machine or a neighbour; give the full name"],
    ["localhost", "has no dot: it would name this machine or a neighbour; give the full name"],
    ["api.localhost", "is this machine itself, which no bottle may reach"],
    ["*.localhost", broad("localhost")],
    ["a b.example.com", noName],
    ["-a.example.com", noName],
    ["a..example.com", noName],
    [".example.com", noName],
    [`${"a".repeat(64)}.example.com`, noName],
    [`${"a.".repeat(126)}example.com`, noName],
  ])("refuses %s", (host, fault) => {
    expect(hostFault(host)).toBe(fault);
  });

  it("takes only lower-case ASCII names with no wildcard but a leading label", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.domain(),
      fc.domain().map((domain) => `*.${domain}`),
      fc.string({ unit: fc.constantFrom(..."ab.*-_0x1:/@[]%") }),
      fc.webUrl(),
      fc.ipV4(),
      fc.ipV6(),
    );
    fc.assert(
      fc.property(text, (host) => {
        if (hostFault(host) !== undefined) return;
        expect(host).toMatch(/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+$/);
        // WHATWG's parser, which turns every numeric form into an address, must leave it as it is.
        const name = host.replace(/^\*\./, "");
        expect(new URL(`http://${name}`).hostname).toBe(name);
      }),
      { numRuns: 3000 },
    );
  });

  it("refuses every IPv4 address in every form that resolvers take", () => {
    const radix = fc.constantFrom((n: number) => String(n), (n: number) => `0${n.toString(8)}`, (n: number) => `0x${n.toString(16)}`);
    const address = fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 4 }), fc.array(radix, { minLength: 4, maxLength: 4 }), fc.constantFrom("", ".", ":80"));
    fc.assert(
      fc.property(address, ([value, parts, forms, end]) => {
        const octets = [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256);
        const last = octets.slice(parts - 1).reduce((sum, octet) => sum * 256 + octet, 0);
        const text = [...octets.slice(0, parts - 1), last].map((number, index) => forms[index]!(number)).join(".") + end;
        expect(hostFault(text), text).toBe(ip);
      }),
    );
  });

  it("never repeats what stands before an @", () => {
    const secret = "S3cret/Pass:word?#";
    for (const host of [`${secret}@example.com`, `https://u:${secret}@example.com`, `u:${secret}@*.com`, `u:${secret}@\nexample.com`]) {
      expect(faultsOf({ network: { hosts: [host] } }).join()).toMatch(/^bottle:network\.hosts\[0\]: "…@/);
      expect(faultsOf({ network: { hosts: [host] } }).join()).not.toMatch(/S3cret|Pass|word/);
    }
  });
});

describe("covers", () => {
  it.each([
    ["api.example.com", "api.example.com", true],
    ["*.example.com", "api.example.com", true],
    ["*.example.com", "a.b.example.com", true],
    ["*.example.com", "*.b.example.com", true],
    ["*.example.com", "*.example.com", true],
    ["*.example.com", "example.com", false],
    ["*.example.com", "notexample.com", false],
    ["*.b.example.com", "*.example.com", false],
    ["example.com", "api.example.com", false],
  ])("%s covers %s: %s", (pattern, host, expected) => {
    expect(covers(pattern, host)).toBe(expected);
  });
});
