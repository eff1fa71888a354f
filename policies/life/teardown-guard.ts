import { projectName, readCompose } from "../lib/compose.ts";
import { stackRule, type InStack } from "../lib/rule.ts";

export const teardownGuard = stackRule({
  name: "teardown-guard",
  description: "Each Compose project is taken down by a command that was made before it.",
  severity: "high",
  check: (resources, _report, { report }) => {
    const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
    for (const up of resources) {
      const reading = readCompose(up.type, up.properties);
      if (reading === undefined || !("file" in reading)) continue;
      const project = projectName(reading.file, up.properties);
      if (project === undefined) {
        report(up.urn)("stdin: name", "is missing, so nobody can tell which project to take down; name the project");
        continue;
      }
      // Made before `up`, so that it is in the state although `up` failed; its own delete would never run then.
      const guards = [...before(up, byUrn)].filter((resource) => takesDown(resource, project));
      if (guards.length === 0) {
        report(up.urn)("delete", `has no teardown guard: a failed \`up\` would leave containers that \`pulumi destroy\` does not know; add a command whose delete runs \`docker compose -p PROJECT down\`, and let this one depend on it`);
      }
    }
  },
});

/** What a resource depends on, directly or by others. */
function before(resource: InStack, byUrn: ReadonlyMap<string, InStack>): Set<InStack> {
  const seen = new Set<InStack>();
  const queue = [...resource.dependencies];
  for (let urn = queue.pop(); urn !== undefined; urn = queue.pop()) {
    const found = byUrn.get(urn);
    if (found === undefined || seen.has(found)) continue;
    seen.add(found);
    queue.push(...found.dependencies);
  }
  return seen;
}

function takesDown({ properties }: InStack, project: string): boolean {
  const script = properties["delete"];
  if (typeof script !== "string") return false;
  const downs = script.match(/\bdocker(-|\s+)compose\b[^\n;&|]*\bdown\b/g) ?? [];
  return downs.some((line) => new RegExp(`(^|[\\s='"])${project.replace(/[^\w-]/g, "\\$&")}($|[\\s'"])`).test(line));
}
