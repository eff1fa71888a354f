import { containerRule, textList } from "../lib/containers.ts";

export const noPublishedPorts = containerRule({
  name: "no-published-ports",
  description: "No container of a bottle publishes a port on the host.",
  severity: "high",
  check: (container, report) => {
    textList(container, "ports").forEach((_, index) =>
      report(`${container.path("ports")}[${index}]`, "publishes a port on the host, so that others reach into the bottle; remove it and reach the container by `docker exec`"),
    );
  },
});
