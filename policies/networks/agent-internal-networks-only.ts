import { containersOf, value, type Container } from "../lib/containers.ts";
import { NETWORK, networkOf } from "../lib/networks.ts";
import { resourceRule, type Report } from "../lib/rule.ts";
import { child, isObject, list } from "../lib/values.ts";

/**
 * The networks registered so far in this run, with whether each is internal. A command that starts
 * containers depends on their networks, so Pulumi shows those first.
 */
const networks = new Map<string, boolean>();

export const agentInternalNetworksOnly = resourceRule<{ gateways: string[] }>({
  name: "agent-internal-networks-only",
  description: "The agent, and every service but the gateways, joins internal networks of its own stack only.",
  severity: "critical",
  config: { gateways: { type: "array", items: { type: "string" }, default: ["pipelock", "git-gate"], description: "Services that may also join a network with a way out." } },
  check: ({ type, inputs }, report, { gateways }) => {
    if (type === NETWORK) {
      const { name, internal } = networkOf(inputs);
      networks.set(name, internal);
      return;
    }
    for (const container of containersOf(type, inputs)) checkNetworks(container, gateways.includes(container.name), report);
  },
});

function checkNetworks(container: Container, gateway: boolean, report: Report): void {
  if (container.spec["network_mode"] === "none") return;
  const path = container.path("networks");
  const joined = value(container, "networks");
  const names = isObject(joined) ? Object.keys(joined) : list(joined).map(String);
  if (names.length === 0) {
    report(path, "names no network, so the container joins the default one, which leads out; name internal networks of this stack");
    return;
  }
  names.forEach((name, index) => {
    const own = isObject(joined) ? child(path, name) : `${path}[${index}]`;
    const internal = isInternal(container, name);
    if (internal === undefined) report(own, "is no network of this stack that is registered before the container; make it a docker.Network in the stack and let the command depend on it");
    else if (!internal && !gateway) report(own, "leads out, past the proxies; join internal networks only, or put the service on the list `gateways` if it is one");
  });
}

/** @returns undefined where the stack has no such network */
function isInternal(container: Container, name: string): boolean | undefined {
  if (container.file === undefined) return networks.get(name);
  const all = container.file.document["networks"];
  const definition = isObject(all) ? all[name] : undefined;
  if (!isObject(definition) || !definition["external"]) return isObject(definition) ? definition["internal"] === true : name === "default" ? false : undefined;
  const { external } = definition; // Compose's older form has the name in it
  return networks.get(String((isObject(external) ? external["name"] : undefined) ?? definition["name"] ?? name));
}
