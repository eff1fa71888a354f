import * as pulumi from "@pulumi/pulumi";
import { COMMANDS } from "../lib/compose.ts";
import { stackRule } from "../lib/rule.ts";
import { UNKNOWN } from "../lib/values.ts";

/**
 * Pulumi passes over a rule whose value it does not know in preview. Each rule reports that of what it
 * reads; but a command whose stdin is not known yet shows no rule that it is a Compose file. Only keys
 * and certificates may come later: those do not exist yet.
 */
export const inputsKnown = stackRule({
  name: "inputs-known",
  description: "What commands run and are given is known in preview: a rule that cannot run counts as violated.",
  severity: "critical",
  check: (resources, _report, { report }) => {
    const kinds = new Map(resources.map(({ urn, type }) => [urn, type]));
    const when = pulumi.runtime.isDryRun() ? "in preview" : "after the update";
    const complaint = `is not known ${when}, so the policies that read it could not run; make it a plain value that depends on no resource's output`;
    for (const { type, urn, properties, propertyDependencies } of resources) {
      if (!COMMANDS.has(type)) continue;
      for (const key of ["create", "update", "delete"]) if (properties[key] === UNKNOWN) report(urn)(key, complaint);
      if (properties["stdin"] !== UNKNOWN) continue;
      const sources = (propertyDependencies["stdin"] ?? []).map((source) => kinds.get(source) ?? "");
      if (sources.length === 0 || !sources.every((kind) => kind.startsWith("tls:"))) report(urn)("stdin", complaint);
    }
  },
});
