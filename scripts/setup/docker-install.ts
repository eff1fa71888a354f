import { rmSync, writeFileSync } from "node:fs";
import { MINIMUM_COMPOSE, MINIMUM_ENGINE } from "../../components/machine/preflight.ts";
import { aptCandidates, aptInstall, aptUpdate } from "./apt.ts";
import { mirrorOf, readAptSources, renderDeb822 } from "./apt-sources.ts";
import { lastLines } from "./exec.ts";
import type { Machine } from "./machine.ts";
import { SetupError, type Progress } from "./part.ts";
import { atLeast } from "./version.ts";

/** One house's packages of the engine. */
interface Family {
  engine: string;
  compose: string;
  others: string[];
}

/** Docker's own packages, Ubuntu's, Debian's. */
const families: Family[] = [
  { engine: "docker-ce", compose: "docker-compose-plugin", others: ["docker-ce-cli", "containerd.io", "docker-buildx-plugin"] },
  { engine: "docker.io", compose: "docker-compose-v2", others: ["docker-buildx"] },
  { engine: "docker.io", compose: "docker-compose", others: ["docker-cli", "docker-buildx"] },
];

const packagesOf = (family: Family): string[] => [family.engine, family.compose, ...family.others];

/**
 * The packages of the first family that apt can install, new enough, with what the engine needs beside them.
 * @param candidates versions by package, see `aptCandidates`
 */
export function choosePackages(candidates: ReadonlyMap<string, string>): string[] | undefined {
  const family = families.find(
    (each) =>
      packagesOf(each).every((name) => candidates.has(name)) &&
      atLeast(candidates.get(each.engine)!, MINIMUM_ENGINE) &&
      atLeast(candidates.get(each.compose)!, MINIMUM_COMPOSE),
  );
  // containerd and runc by name: the release's own, which the engine is content with.
  const runtime = family?.engine === "docker.io" ? ["containerd", "runc"] : [];
  return family && [...packagesOf(family), ...runtime, "iptables"];
}

const sourceFile = "/etc/apt/sources.list.d/bottle-docker.sources";
const pinFile = "/etc/apt/preferences.d/bottle-docker";
const fromSid = ["docker.io", "docker-cli", "docker-compose", "docker-buildx", "tini-static"];

/** apt preferences that let the engine's packages in from sid, and nothing else. */
export const sidPreferences = `# Made by bottle's set-up: Docker's packages from sid, and nothing else from there.
Package: *
Pin: release n=sid
Pin-Priority: -1

Package: ${fromSid.join(" ")}
Pin: release n=sid
Pin-Priority: 500
`;

/**
 * Installs an engine with Compose and buildx by apt. Needs root.
 * On a Debian release whose own engine is too old, the engine's packages come from sid of the same mirror, beside the
 * release's own containerd and runc; everything else stays as it is.
 * @throws SetupError if that cannot be had
 */
export async function installEngine(machine: Machine, progress: Progress): Promise<void> {
  const part = "Docker engine";
  const names = [...new Set(families.flatMap(packagesOf))];
  progress("fetching apt's package lists");
  await aptUpdate();
  const candidates = await aptCandidates(names);
  const own = choosePackages(candidates);
  if (own) return aptInstall(part, own, progress);

  const found = ["docker-ce", "docker.io"].map((name) => `${name} ${candidates.get(name) ?? "(none)"}`).join(", ");
  const mirror = machine.id === "debian" ? mirrorOf(machine.codename, readAptSources()) : undefined;
  if (!mirror) {
    throw new SetupError(part, {
      problem: `apt's sources have no engine ≥ ${MINIMUM_ENGINE} with Compose ≥ ${MINIMUM_COMPOSE}: ${found}.`,
      mend: "Add Docker's own apt source (https://docs.docker.com/engine/install/) and run this again.",
    });
  }
  progress(`apt's own is too old (${found}); adding Debian sid for Docker's packages alone (${sourceFile})`);
  writeFileSync(sourceFile, `# Made by bottle's set-up; see ${pinFile}.\n${renderDeb822({ ...mirror, suites: ["sid"], components: ["main"] })}`);
  writeFileSync(pinFile, sidPreferences);
  try {
    const update = await aptUpdate();
    const wider = choosePackages(await aptCandidates(names));
    if (!wider) {
      throw new SetupError(part, {
        problem: `neither this release nor sid on its mirror gives an engine ≥ ${MINIMUM_ENGINE}.\n${lastLines(update.stderr, 4)}`,
        tried: `apt-get update; apt-cache policy ${names.join(" ")}`,
        mend: "Add Docker's own apt source (https://docs.docker.com/engine/install/) and run this again.",
      });
    }
    await aptInstall(part, wider, progress);
  } catch (error) {
    rmSync(sourceFile, { force: true });
    rmSync(pinFile, { force: true });
    throw error;
  }
}
