import { run } from "./run.ts";

/**
 * The label of everything that tests create by themselves. Its value is the test's own unique name, so that tests
 * never remove one another's.
 */
export const testLabel = "bottle.test";

/** `--label` arguments for `docker run`, `network create`, `volume create` and `build`. */
export function labelled(owner: string): string[] {
  return ["--label", `${testLabel}=${owner}`];
}

/** Removes every container, network, volume and image that carries a label, `bottle.test=<owner>` by default. */
export async function removeLabelled(owner: string, label = testLabel): Promise<void> {
  const filter = ["--filter", `label=${label}=${owner}`];
  const kinds: { list: string[]; remove: string[] }[] = [
    { list: ["ps", "--all", "--quiet"], remove: ["rm", "--force", "--volumes"] },
    { list: ["network", "ls", "--quiet"], remove: ["network", "rm"] },
    { list: ["volume", "ls", "--quiet"], remove: ["volume", "rm"] },
    { list: ["image", "ls", "--quiet"], remove: ["image", "rm", "--force"] },
  ];
  for (const { list, remove } of kinds) {
    const { stdout } = await run("docker", [...list, ...filter]);
    const ids = [...new Set(stdout.split("\n").filter(Boolean))];
    if (ids.length > 0) await run("docker", [...remove, ...ids]);
  }
}
