import { reachOf } from "../lib/network-rules.ts";
import { resourceRule } from "../lib/rule.ts";
import { isObject } from "../lib/values.ts";

export const authOverTls = resourceRule({
  name: "auth-over-tls",
  description: "A credential is put on requests over TLS alone.",
  severity: "critical",
  check: ({ type, inputs }, report) => {
    for (const { path, entry } of reachOf(type, inputs).entries) {
      if (isObject(entry["auth"]) && entry["scheme"] !== undefined && entry["scheme"] !== "https") report(`${path}.scheme`, "sends the route's credential readable over the network; set scheme: https, or remove auth");
    }
  },
});
