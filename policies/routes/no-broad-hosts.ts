import { covers, hostFault } from "../../components/manifest/hosts.ts";
import { inManifest, reachOf, STACK } from "../lib/network-rules.ts";
import { resourceRule } from "../lib/rule.ts";

/** Domains of one owner in which everybody has names: storage, functions, pages. */
const shared = ["amazonaws.com", "azure.com", "azureedge.net", "cloudfront.net", "cloudfunctions.net", "googleapis.com", "googleusercontent.com", "microsoft.com", "windows.net"];

export const noBroadHosts = resourceRule<{ shared: string[]; maxWildcards: number }>({
  name: "no-broad-hosts",
  description: "A bottle reaches hosts by name, or all names of a domain that one owner keeps for itself.",
  severity: "high",
  config: {
    shared: { type: "array", items: { type: "string" }, default: shared, description: "Domains under which others have names too: no wildcard covers them." },
    maxWildcards: { type: "integer", minimum: 0, default: 10, description: "Wildcards that a bottle may have." },
  },
  check: ({ type, inputs }, report, settings) => {
    const { entries } = reachOf(type, inputs);
    for (const { path, host } of entries) {
      if (type !== STACK && inManifest(host)) continue;
      const at = path.startsWith("stdin: api_allowlist") ? path : `${path}.host`;
      if (hostFault(host) !== undefined) report(at, "is no single host and no wildcard over one owner's domain; write api.example.com or *.example.com");
      else if (host.startsWith("*.") && settings.shared.some((domain) => covers(`*.${domain}`, host) || host === `*.${domain}` || covers(host, domain))) {
        report(at, "covers a domain in which others have storage or services; name the hosts, or take the domain off the list `shared`");
      }
    }
    const wildcards = entries.filter(({ host }) => host.startsWith("*."));
    if (type === STACK && wildcards.length > settings.maxWildcards) report("bottle:network", `has ${wildcards.length} wildcards, more than ${settings.maxWildcards}; name the hosts, or raise maxWildcards`);
  },
});
