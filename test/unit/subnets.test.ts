import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freeSubnet } from "../../components/machine/preflight.ts";
import { bottleSubnet, guestRange, networkRoles, networkSubnets, overlaps, parseCidr } from "../../components/subnets.ts";

const instance = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((value) => value.toString(16).padStart(8, "0"));
/** A pool anywhere in 10.0.0.0/8, of /8 to /26. */
const pool = fc.tuple(fc.integer({ min: 8, max: 26 }), fc.nat(2 ** 24 - 1)).map(([prefix, offset]) => {
  const size = 2 ** (32 - prefix);
  const base = 10 * 2 ** 24 + (offset - (offset % size));
  return `${[24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join(".")}/${prefix}`;
});

const range = (cidr: string) => {
  const { base, prefix } = parseCidr(cidr);
  return { first: base, last: base + 2 ** (32 - prefix) - 1 };
};
const contains = (outer: string, inner: string) => range(outer).first <= range(inner).first && range(inner).last <= range(outer).last;

describe("parseCidr", () => {
  it.each([
    ["0.0.0.0/0", { base: 0, prefix: 0 }],
    ["10.192.0.0/12", { base: 10 * 2 ** 24 + 192 * 2 ** 16, prefix: 12 }],
    ["255.255.255.255/32", { base: 2 ** 32 - 1, prefix: 32 }],
  ])("%s", (text, parsed) => {
    expect(parseCidr(text)).toEqual(parsed);
  });

  it.each(["", "10.0.0.0", "10.0.0/8", "256.0.0.0/8", "10.0.0.0/33", "10.0.0.0/", "010.0.0.0/8", "10.0.0.0/08", " 10.0.0.0/8", "10.0.0.0/8\n", "-1.0.0.0/8", "fd00::/8", "1e1.0.0.0/8"])("refuses %j", (text) => {
    expect(() => parseCidr(text)).toThrow(new Error(`"${text}" is not an IPv4 CIDR such as 10.192.0.0/12`));
  });

  it("says which range is meant where bits are set after the prefix", () => {
    expect(() => parseCidr("192.168.1.77/26")).toThrow(new Error('"192.168.1.77/26" has bits set after its prefix; write 192.168.1.64/26'));
  });
});

describe("a bottle's subnets", () => {
  it("are cut like this", () => {
    expect(networkSubnets("10.192.4.64/26")).toEqual({
      internal: { cidr: "10.192.4.64/28", gateway: "10.192.4.65", addresses: { proxy: "10.192.4.66", agent: "10.192.4.67", "git-gate": "10.192.4.68", supervise: "10.192.4.69" } },
      transit: { cidr: "10.192.4.80/28", gateway: "10.192.4.81", addresses: { pipelock: "10.192.4.82", egress: "10.192.4.83" } },
      egress: { cidr: "10.192.4.96/28", gateway: "10.192.4.97", addresses: { pipelock: "10.192.4.98", "git-gate": "10.192.4.99" } },
    });
  });

  it("lie within the pool, apart from one another, with every address in its own", () => {
    fc.assert(
      fc.property(pool, instance, (from, id) => {
        const bottle = bottleSubnet(from, id);
        expect(contains(from, bottle)).toBe(true);
        expect(parseCidr(bottle).prefix).toBe(26);
        const subnets = Object.values(networkSubnets(bottle));
        expect(subnets).toHaveLength(networkRoles.length);
        subnets.forEach((subnet, index) => {
          expect(contains(bottle, subnet.cidr)).toBe(true);
          for (const other of subnets.slice(index + 1)) expect(overlaps(subnet.cidr, other.cidr)).toBe(false);
          const { first, last } = range(subnet.cidr);
          const hosts = [subnet.gateway, ...Object.values(subnet.addresses)].map((address) => parseCidr(`${address}/32`).base);
          expect(new Set(hosts).size).toBe(hosts.length);
          for (const host of hosts) expect(host > first && host < last).toBe(true);
        });
      }),
    );
  });

  it("has guests on the egress network, away from the host's address and from every service", () => {
    expect(guestRange(networkSubnets("10.192.4.64/26"))).toBe("10.192.4.104/29");
    fc.assert(
      fc.property(pool, instance, (cidr, id) => {
        const subnets = networkSubnets(bottleSubnet(cidr, id));
        const guests = guestRange(subnets);
        expect(overlaps(guests, subnets.egress.cidr)).toBe(true);
        const taken = Object.values(subnets).flatMap(({ gateway, addresses }) => [gateway, ...Object.values(addresses)]);
        for (const address of taken) expect(overlaps(guests, `${address}/32`), address).toBe(false);
      }),
    );
  });

  it("are the same for the same instance, and use the whole pool", () => {
    expect(bottleSubnet("10.0.0.0/24", "00000000")).toBe("10.0.0.0/26");
    expect(bottleSubnet("10.0.0.0/24", "ffffffff")).toBe("10.0.0.192/26");
    expect(bottleSubnet("10.0.0.0/26", "deadbeef")).toBe("10.0.0.0/26");
  });
});

it("overlaps: as the ranges' ends say, either way round", () => {
  fc.assert(
    fc.property(pool, pool, (a, b) => {
      const expected = range(a).first <= range(b).last && range(b).first <= range(a).last;
      expect(overlaps(a, b)).toBe(expected);
      expect(overlaps(b, a)).toBe(expected);
    }),
  );
  expect(overlaps("10.0.0.0/26", "10.0.0.64/26")).toBe(false);
  expect(overlaps("0.0.0.0/0", "10.0.0.64/26")).toBe(true);
});

describe("freeSubnet", () => {
  it("is the first one free after the bottle's own, round the end of the pool", () => {
    expect(freeSubnet("10.0.0.0/24", "00000002", [])).toBe("10.0.0.128/26");
    expect(freeSubnet("10.0.0.0/24", "00000002", [{ cidr: "10.0.0.128/25" }])).toBe("10.0.0.0/26");
    expect(freeSubnet("10.0.0.0/24", "00000003", [{ cidr: "10.0.0.200/29" }, { cidr: "10.0.0.0/26" }])).toBe("10.0.0.64/26");
  });

  it("is none where the pool is exhausted", () => {
    expect(freeSubnet("10.0.0.0/24", "00000000", [{ cidr: "10.0.0.0/23" }])).toBeUndefined();
    expect(freeSubnet("10.0.0.0/26", "00000000", [{ cidr: "10.0.0.63/32" }])).toBeUndefined();
  });

  it("never overlaps what is taken, and lies within the pool", () => {
    fc.assert(
      fc.property(pool, instance, fc.array(pool, { maxLength: 8 }), (from, id, cidrs) => {
        const free = freeSubnet(from, id, cidrs.map((cidr) => ({ cidr })));
        if (free === undefined) return;
        expect(contains(from, free)).toBe(true);
        for (const cidr of cidrs) expect(overlaps(cidr, free)).toBe(false);
      }),
    );
  });
});
