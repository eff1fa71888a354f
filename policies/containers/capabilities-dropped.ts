import { containerRule, textList } from "../lib/containers.ts";

export const capabilitiesDropped = containerRule<{ allowed: string[] }>({
  name: "capabilities-dropped",
  description: "Containers of a bottle drop all capabilities and add none.",
  severity: "high",
  config: { allowed: { type: "array", items: { type: "string" }, default: [], description: "Capabilities that may be added, such as CHOWN (an agent that is root needs some, see docs/manifest.md)." } },
  check: (container, report, { allowed }) => {
    if (!textList(container, "cap_drop").some((capability) => bare(capability) === "ALL")) report(container.path("cap_drop"), "does not drop every capability; set it to [ALL]");
    textList(container, "cap_add").forEach((capability, index) => {
      if (!allowed.map(bare).includes(bare(capability))) report(`${container.path("cap_add")}[${index}]`, "adds a capability that is not on the list `allowed`; remove it, or put it on the list");
    });
  },
});

function bare(capability: string): string {
  return capability.toUpperCase().replace(/^CAP_/, "");
}
