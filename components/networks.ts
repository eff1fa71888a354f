// The Docker networks of one bottle.
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Identity } from "./identity.ts";
import { networkRoles, type NetworkRole, type Subnet } from "./subnets.ts";

export interface NetworksArgs {
  readonly identity: Identity;
  readonly subnets: Record<NetworkRole, Subnet>;
}

/** Docker's name of a bottle's network. Known before it exists, as policies need. */
export function networkName(identity: Identity, role: NetworkRole): string {
  return `${identity.composeProject}-${role}`;
}

/**
 * internal and transit have no way out and, by isolated gateway mode, none to the host either
 * (https://docs.docker.com/engine/network/drivers/bridge/: no address on the bridge); egress is an
 * ordinary bridge. Subnet and gateway are both given: Docker's own pools run out at 30 networks.
 *
 * Every bottle has all three from the start: a network that came with the first route would mean a
 * new teardown guard, and with it a restarted agent.
 */
export class Networks extends pulumi.ComponentResource {
  readonly networks: Readonly<Record<NetworkRole, docker.Network>>;

  constructor(name: string, args: NetworksArgs, options?: pulumi.ComponentResourceOptions) {
    super("bottle:index:Networks", name, {}, options);
    const labels = Object.entries(args.identity.labels).map(([label, value]) => ({ label, value }));
    this.networks = Object.fromEntries(
      networkRoles.map((role) => [
        role,
        new docker.Network(
          `${name}-${role}`,
          {
            name: networkName(args.identity, role),
            driver: "bridge",
            internal: role !== "egress",
            ipamConfigs: [{ subnet: args.subnets[role].cidr, gateway: args.subnets[role].gateway }],
            options: role === "egress" ? {} : { "com.docker.network.bridge.gateway_mode_ipv4": "isolated" },
            labels,
          },
          // Two networks cannot hold one name or one subnet.
          { parent: this, deleteBeforeReplace: true },
        ),
      ]),
    ) as Record<NetworkRole, docker.Network>;
    this.registerOutputs({});
  }

  /** IPv4 CIDRs by role, as the engine has them. ipamConfigs is a set: IPv4 is picked by looking. */
  get subnets(): pulumi.Output<Record<string, string[]>> {
    return pulumi
      .all(Object.entries(this.networks).map(([role, network]) => network.ipamConfigs.apply((configs) => [role, configs] as const)))
      .apply((all) => Object.fromEntries(all.map(([role, configs]) => [role, (configs ?? []).flatMap(({ subnet }) => (subnet && !subnet.includes(":") ? [subnet] : []))])));
  }

  /** Docker ids by role. */
  get ids(): pulumi.Output<Record<string, string>> {
    return pulumi.output(Object.fromEntries(Object.entries(this.networks).map(([role, network]) => [role, network.id])));
  }
}
