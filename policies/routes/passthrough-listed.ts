import { covers, llmHosts } from "../../components/manifest/hosts.ts";
import { inManifest, reachOf, STACK } from "../lib/network-rules.ts";
import { resourceRule } from "../lib/rule.ts";
import { configOf } from "../lib/stack-config.ts";
import { list } from "../lib/values.ts";

export const passthroughListed = resourceRule<{ allowed: string[]; packages: boolean }>({
  name: "passthrough-listed",
  description: "Hosts whose content nobody reads are on a list that the team keeps.",
  severity: "high",
  config: {
    allowed: { type: "array", items: { type: "string" }, default: [...llmHosts], description: "Hosts that may be passed through: exact, or *.example.com." },
    packages: { type: "boolean", default: true, description: "Whether the mirrors that bottle:network.packages finds on the machine may be, too." },
  },
  check: ({ type, inputs }, report, { allowed, packages }) => {
    const mirrors = packages && list(configOf("bottle:network")["packages"]).length > 0;
    for (const { path, host } of reachOf(type, inputs).passedThrough) {
      if (allowed.some((pattern) => covers(pattern, host))) continue;
      if (type === STACK) report(`${path}.inspect`, "is false, so nobody reads what the agent sends there; leave it true, or put the host on the list `allowed`");
      // In the manifest it is reported there; else it is a mirror, or a hand-written stack's.
      else if (!mirrors && !inManifest(host)) report(path, "is passed through, so nobody reads what the agent sends there; remove it, or put the host on the list `allowed`");
    }
  },
});
