import { inManifest, reachOf, STACK } from "../lib/network-rules.ts";
import { resourceRule } from "../lib/rule.ts";
import { isObject, list } from "../lib/values.ts";

/** Advisory: with a token on every request, what a route leaves open is the agent's to use. */
export const authNarrowed = resourceRule<{ paths: boolean }>({
  name: "auth-narrowed",
  description: "A route that puts a credential on holds the agent to methods.",
  severity: "medium",
  enforcementLevel: "advisory",
  config: { paths: { type: "boolean", default: false, description: "Also ask for paths." } },
  check: ({ type, inputs }, report, { paths }) => {
    for (const { path, host, entry } of reachOf(type, inputs).entries) {
      if (!isObject(entry["auth"]) || (type !== STACK && inManifest(host))) continue;
      if (list(entry["methods"]).length === 0) report(`${path}.methods`, "is not set, so the token serves every method; name those the agent needs, such as [GET]");
      if (paths && list(entry["paths"]).length === 0) report(`${path}.paths`, "is not set, so the token serves every path; name those the agent needs");
    }
  },
});
