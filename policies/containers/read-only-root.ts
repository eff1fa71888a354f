import { containerRule, truth, value } from "../lib/containers.ts";

export const readOnlyRoot = containerRule({
  name: "read-only-root",
  description: "Containers of a bottle have a read-only root file system.",
  severity: "medium",
  check: (container, report) => {
    if (truth(value(container, "read_only")) !== true) {
      report(container.path("read_only"), "is not true, so the container can replace its own programs; set it to true (filesystem: read-only in the manifest) and give what must be written a volume or a tmpfs");
    }
  },
});
