// A bottle's addresses: one /26 of a pool, cut into /28 networks with fixed places. Pure.

/** The networks a bottle can have, in the order of their /28 within the bottle's /26. */
export const networkRoles = ["internal", "transit", "egress"] as const;
export type NetworkRole = (typeof networkRoles)[number];

/** One network's addresses, dotted IPv4. */
export interface Subnet {
  /** CIDR, canonical: `10.192.0.0/28`. */
  readonly cidr: string;
  /** First host address; on isolated networks no interface holds it. */
  readonly gateway: string;
  /** Fixed addresses by service name. */
  readonly addresses: Readonly<Record<string, string>>;
}

/** Host numbers within a network's /28. Fixed, because a running bottle's addresses never change. */
const places: Record<NetworkRole, Record<string, number>> = {
  internal: { proxy: 2, agent: 3, "git-gate": 4, supervise: 5 },
  transit: { pipelock: 2, egress: 3 },
  egress: { pipelock: 2, "git-gate": 3 },
};

const BOTTLE_PREFIX = 26;
const NETWORK_PREFIX = 28;
/** Half of a /28; the places above are all below it. */
const GUEST_PLACES = 8;

/** Parses dotted IPv4 CIDR. @throws Error saying what is wrong with it. */
export function parseCidr(text: string): { base: number; prefix: number } {
  // No leading zeros: some readers take them for octal, pipelock refuses them.
  const number = "(0|[1-9]\\d{0,2})";
  const match = new RegExp(`^${[number, number, number, number].join("\\.")}/${number}$`).exec(text);
  const octets = match?.slice(1, 5).map(Number);
  const prefix = Number(match?.[5]);
  if (!octets || octets.some((o) => o > 255) || prefix > 32) {
    throw new Error(`"${text}" is not an IPv4 CIDR such as 10.192.0.0/12`);
  }
  const address = octets.reduce((value, octet) => value * 256 + octet, 0);
  const base = address - (address % 2 ** (32 - prefix));
  if (base !== address) throw new Error(`"${text}" has bits set after its prefix; write ${dotted(base)}/${prefix}`);
  return { base, prefix };
}

/** True where two canonical CIDRs share an address. */
export function overlaps(a: string, b: string): boolean {
  const [x, y] = [parseCidr(a), parseCidr(b)];
  return x.base < y.base + 2 ** (32 - y.prefix) && y.base < x.base + 2 ** (32 - x.prefix);
}

/**
 * The /26 of a bottle: the one given, else the pool's one that the instance id points at.
 *
 * @param pool CIDR of /26 or wider.
 * @param instance hex instance id.
 */
export function bottleSubnet(pool: string, instance: string): string {
  const { base, prefix } = parseCidr(pool);
  const slots = 2 ** (BOTTLE_PREFIX - prefix);
  const slot = Number.parseInt(instance, 16) % slots;
  return `${dotted(base + slot * 2 ** (32 - BOTTLE_PREFIX))}/${BOTTLE_PREFIX}`;
}

/** Cuts a bottle's /26 into its networks' subnets, gateways and fixed addresses. */
export function networkSubnets(bottle: string): Record<NetworkRole, Subnet> {
  const { base } = parseCidr(bottle);
  const cut = (role: NetworkRole, index: number): Subnet => {
    const network = base + index * 2 ** (32 - NETWORK_PREFIX);
    return {
      cidr: `${dotted(network)}/${NETWORK_PREFIX}`,
      gateway: dotted(network + 1),
      addresses: Object.fromEntries(Object.entries(places[role]).map(([name, place]) => [name, dotted(network + place)])),
    };
  };
  return { internal: cut("internal", 0), transit: cut("transit", 1), egress: cut("egress", 2) };
}

/**
 * Where in a bottle's own networks an allowed name may lead: the upper half of the egress network, which holds what a person
 * has put beside the sidecars, and neither them nor the gateway, which is the host.
 */
export function guestRange({ egress }: Record<NetworkRole, Subnet>): string {
  const { base } = parseCidr(egress.cidr);
  return `${dotted(base + GUEST_PLACES)}/${32 - Math.log2(GUEST_PLACES)}`;
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
