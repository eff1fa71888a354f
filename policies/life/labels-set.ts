import { readCompose } from "../lib/compose.ts";
import { containersOf, textList } from "../lib/containers.ts";
import { imageRequest } from "../lib/images.ts";
import { resourceRule, type Report } from "../lib/rule.ts";
import { child, entries, isObject, known, list } from "../lib/values.ts";

const objects = new Set(["docker:index/network:Network", "docker:index/volume:Volume"]);

export const labelsSet = resourceRule<{ labels: string[]; imageLabels: string[] }>({
  name: "labels-set",
  description: "Everything that a bottle makes on the engine carries labels by which it is found and reaped without Pulumi's state.",
  severity: "medium",
  config: {
    labels: { type: "array", items: { type: "string" }, default: ["bottle.project", "bottle.stack", "bottle.instance"], description: "Labels of networks, containers and volumes." },
    imageLabels: { type: "array", items: { type: "string" }, default: ["bottle.project"], description: "Labels of images built here." },
  },
  check: ({ type, inputs }, report, { labels, imageLabels }) => {
    if (objects.has(type)) lacking(namesOf(known(inputs["labels"], "labels")), labels, "labels", report);
    for (const container of containersOf(type, inputs)) {
      lacking(textList(container, "labels").map((label) => label.split("=")), labels, container.path("labels"), report);
    }
    const reading = readCompose(type, inputs);
    if (reading && "file" in reading) {
      for (const kind of ["volumes", "networks"]) {
        for (const [name, definition] of entries(reading.file.document[kind])) {
          if (isObject(definition) && definition["external"]) continue;
          lacking(namesOf(isObject(definition) ? definition["labels"] : undefined), labels, child(child(`stdin: ${kind}`, name), "labels"), report);
        }
      }
    }
    const request = imageRequest(type, inputs);
    if (request) lacking(namesOf(request.build["labels"]), imageLabels, "stdin: build.labels", report);
  },
});

/** Names and values of labels, as a mapping, as `name=value`, or as the provider's {label, value}. */
function namesOf(labels: unknown): (readonly unknown[])[] {
  return isObject(labels) ? Object.entries(labels) : list(labels).map((label) => (isObject(label) ? [label["label"], label["value"]] : String(label).split("=")));
}

function lacking(has: readonly (readonly unknown[])[], wanted: readonly string[], path: string, report: Report): void {
  const missing = wanted.filter((label) => !has.some(([name, value]) => name === label && value !== undefined && value !== ""));
  if (missing.length > 0) report(path, `lacks ${missing.join(", ")}; add what is missing (the components' identity.labels)`);
}
