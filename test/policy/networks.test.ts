// Rules about networks.
import { describe, expect, it } from "vitest";
import { agentInternalNetworksOnly } from "../../policies/networks/agent-internal-networks-only.ts";
import { internalNetworksIsolated } from "../../policies/networks/internal-networks-isolated.ts";
import { findings, NETWORK, networks, NOT_KNOWN, up } from "./harness.ts";

const at = "stdin: services.agent.networks";

describe("agent-internal-networks-only", () => {
  const after = (change: object, document?: object, settings?: object) => findings(agentInternalNetworksOnly, [...networks, up(change, document)], settings);

  it("takes an agent on internal networks of its stack, in both forms", async () => {
    expect(await after({})).toEqual([]);
    expect(await after({ networks: { inside: { ipv4_address: "10.0.0.2" } } })).toEqual([]);
  });

  it("takes an agent without any network", async () => {
    expect(await after({ networks: undefined, network_mode: "none" })).toEqual([]);
  });

  it("reports a network that leads out", async () => {
    expect(await after({ networks: ["inside", "outside"] })).toEqual([`${at}[1]: leads out, past the proxies; join internal networks only, or put the service on the list \`gateways\` if it is one`]);
    expect(await after({ networks: { outside: null } })).toEqual([expect.stringContaining(`${at}.outside: leads out`)]);
  });

  it("lets gateways out, and nobody else", async () => {
    expect(await after({ networks: ["outside"] }, {}, { gateways: ["agent"] })).toEqual([]);
  });

  it("reports an agent on Compose's default network", async () => {
    expect(await after({ networks: undefined })).toEqual([expect.stringContaining(`${at}: names no network`)]);
    expect(await after({ networks: ["default"] }, { networks: {} })).toEqual([expect.stringContaining("leads out")]);
  });

  it("reports a network that is not of this stack: another bottle's, or the host's", async () => {
    for (const name of ["another-bottle-internal", "host", "bridge"]) {
      expect(await after({ networks: ["other"] }, { networks: { other: { external: true, name } } })).toEqual([expect.stringContaining(`${at}[0]: is no network of this stack`)]);
    }
  });

  it("takes the name in Compose's older form", async () => {
    expect(await after({ networks: ["b-inside"] }, { networks: { "b-inside": { external: { name: "b-outside" } } } })).toEqual([expect.stringContaining("leads out")]);
  });

  it("sees networks that the Compose file makes itself", async () => {
    expect(await after({ networks: ["own"] }, { networks: { own: { internal: true } } })).toEqual([]);
    expect(await after({ networks: ["own"] }, { networks: { own: {} } })).toEqual([expect.stringContaining("leads out")]);
  });

  it("reports a network whose name is not known in preview", async () => {
    expect(await findings(agentInternalNetworksOnly, { type: NETWORK, props: { name: NOT_KNOWN, internal: true } })).toEqual([expect.stringContaining("name: is not known before the update, so the rule could not run")]);
  });

  it("sees docker.Container", async () => {
    const container = { type: "docker:index/container:Container", props: { name: "agent", networksAdvanced: [{ name: "b-outside" }] } };
    expect(await findings(agentInternalNetworksOnly, [...networks, container])).toEqual([expect.stringContaining("networksAdvanced[0]: leads out")]);
  });
});

describe("internal-networks-isolated", () => {
  const mode = (family: string) => `com.docker.network.bridge.gateway_mode_${family}`;
  const network = (props: object) => findings(internalNetworksIsolated, { type: NETWORK, props: { ...props } });

  it("takes isolated networks, and bridges that lead out", async () => {
    expect(await findings(internalNetworksIsolated, [...networks])).toEqual([]);
    expect(await network({ driver: "bridge", internal: true, options: { [mode("ipv4")]: "isolated" } })).toEqual([]);
  });

  it("reports an internal network on which the host has an address", async () => {
    for (const options of [undefined, {}, { [mode("ipv4")]: "nat" }]) {
      expect(await network({ internal: true, options })).toEqual([expect.stringContaining(`options."${mode("ipv4")}": is not "isolated"`)]);
    }
  });

  it("reports IPv6 that is not isolated", async () => {
    expect(await network({ internal: true, ipv6: true, options: { [mode("ipv4")]: "isolated" } })).toEqual([expect.stringContaining(mode("ipv6"))]);
    expect(await network({ internal: true, ipv6: true, options: { [mode("ipv4")]: "isolated", [mode("ipv6")]: "isolated" } })).toEqual([]);
  });

  it("reports drivers that are no bridge", async () => {
    for (const driver of ["macvlan", "host", "overlay"]) expect(await network({ driver })).toEqual([expect.stringContaining("driver: is not bridge")]);
  });

  it("sees networks that the Compose file makes itself", async () => {
    expect(await findings(internalNetworksIsolated, up({}, { networks: { own: { internal: true } } }))).toEqual([expect.stringContaining("stdin: networks.own.driver_opts")]);
  });

  it("reports options that are not known in preview", async () => {
    expect(await network({ internal: true, options: NOT_KNOWN })).toEqual([expect.stringContaining("options: is not known before the update")]);
    expect(await network({ internal: true, options: { [mode("ipv4")]: NOT_KNOWN } })).toEqual([expect.stringContaining("is not known before the update")]);
  });
});
