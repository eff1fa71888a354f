import { manifestHasUpstreams, upstreamsOf } from "../lib/git-config.ts";
import { resourceRule } from "../lib/rule.ts";
import { isObject, list } from "../lib/values.ts";

export const gitPushesNarrow = resourceRule<{ force: string[]; delete: string[]; anyBranch: string[] }>({
  name: "git-pushes-narrow",
  description: "Agents push to named branches; forced pushes and deletes only where the team says so.",
  severity: "high",
  config: {
    force: { type: "array", items: { type: "string" }, default: [], description: "Upstreams, by name, that take forced pushes." },
    delete: { type: "array", items: { type: "string" }, default: [], description: "Upstreams, by name, on which branches and tags may be deleted." },
    anyBranch: { type: "array", items: { type: "string" }, default: [], description: "Upstreams, by name, that take pushes to any branch." },
  },
  check: ({ type, inputs }, report, settings) => {
    for (const { path, name, entry, manifest } of upstreamsOf(type, inputs)) {
      const push = entry["push"];
      if (!isObject(push) || (!manifest && manifestHasUpstreams())) continue;
      for (const key of ["force", "delete"] as const) {
        const given = push[key];
        const off = given === undefined || given === null || given === false || (Array.isArray(given) && given.length === 0);
        if (!off && !settings[key].includes(name)) report(`${path}.push.${key}`, `lets the agent ${key === "force" ? "rewrite" : "remove"} what others pushed; remove it, or put the upstream on the list \`${key}\``);
      }
      list(push["branches"]).forEach((branch, index) => {
        if (/^(refs\/heads\/)?\*{1,2}$/.test(String(branch)) && !settings.anyBranch.includes(name)) report(`${path}.push.branches[${index}]`, "is every branch, the protected ones too; name a prefix such as agent/**, or put the upstream on the list `anyBranch`");
      });
    }
  },
});
