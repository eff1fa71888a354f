import { readCompose } from "../lib/compose.ts";
import { NETWORK } from "../lib/networks.ts";
import { resourceRule, type Report } from "../lib/rule.ts";
import { child, entries, isObject, known, type Plain } from "../lib/values.ts";

const MODE = "com.docker.network.bridge.gateway_mode_";

export const internalNetworksIsolated = resourceRule({
  name: "internal-networks-isolated",
  description: "Networks of a bottle are bridges, and internal ones give the host no address on them.",
  severity: "critical",
  check: ({ type, inputs }, report) => {
    if (type === NETWORK) checkNetwork(inputs, "", { options: "options", ipv6: "ipv6" }, report);
    const reading = readCompose(type, inputs);
    if (reading === undefined || !("file" in reading)) return;
    for (const [name, network] of entries(reading.file.document["networks"])) {
      if (isObject(network) && !network["external"]) checkNetwork(network, child("stdin: networks", name), { options: "driver_opts", ipv6: "enable_ipv6" }, report);
    }
  },
});

function checkNetwork(network: Plain, path: string, names: { readonly options: string; readonly ipv6: string }, report: Report): void {
  const at = (key: string) => child(path, key);
  const driver = known(network["driver"], at("driver"));
  if (driver !== undefined && driver !== "bridge") report(at("driver"), "is not bridge; other drivers put containers on the host's own network");
  if (known(network["internal"], at("internal")) !== true) return;
  const options = known(network[names.options], at(names.options));
  const mode = (family: string) => (isObject(options) ? options[`${MODE}${family}`] : undefined);
  if (mode("ipv4") !== "isolated") {
    report(child(at(names.options), `${MODE}ipv4`), 'is not "isolated", so containers reach the host\'s ports by the gateway\'s address; set it (Docker 28 or newer)');
  }
  if (known(network[names.ipv6], at(names.ipv6)) === true && mode("ipv6") !== "isolated") {
    report(child(at(names.options), `${MODE}ipv6`), 'is not "isolated" although the network has IPv6; set it, or leave IPv6 off');
  }
}
