// A bottle to test with: everything that comes from config and machine, made up.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { identify, type Identity } from "../../components/identity.ts";
import type { Machine } from "../../components/machine/machine.ts";
import { ManifestError, readManifest, type Manifest } from "../../components/manifest/manifest.ts";
import type { BottleArgs } from "../../components/stack.ts";

export const identity: Identity = identify("file:///somewhere/backend", "organization", "bottle", "Review/One");

/** Stack config of tests: values as stack config gives them, so deliberately not typed. */
export type Config = Record<string, unknown>;

/** A manifest with no network of its own, but for what is given. */
export function manifestOf(config: Config = {}): Manifest {
  return readManifest({ agent: { claude: { login: "none" } }, ...config });
}

/** The fault lines that a manifest gets; [] where it is accepted. */
export function faultsOf(config: Config, isSecret?: (key: string) => boolean): readonly string[] {
  try {
    readManifest(config, isSecret);
    return [];
  } catch (error) {
    if (error instanceof ManifestError) return error.faults;
    throw error;
  }
}

export const machine: Machine = {
  engine: { environment: { DOCKER_HOST: "unix:///run/test.sock" }, host: "unix:///run/test.sock" },
  subnet: "10.192.4.64/26",
  trust: { paths: ["/etc/company.crt"], hash: "0123456789abcdef" },
  packages: { hosts: [], ports: [], environment: {} },
  memoryFolder: `/run/user/1234/bottle-1234/${identity.instance}`,
  tokenRevision: "revision-1",
  git: { knownHosts: {}, keyFiles: {}, revision: "none", faults: [] },
  drift: { findings: [], missingFiles: [] },
  sidecarUser: { uid: 1234, gid: 1235 },
  agentUser: { uid: 1000, gid: 1001 },
  cpus: 2,
  faults: [],
};

/** What Bottle takes; the project folder does not exist. */
export function bottleArgs(config: Config = {}, overrides: Partial<Machine> = {}): BottleArgs {
  return { identity, manifest: manifestOf(config), machine: { ...machine, ...overrides }, project: "/srv/project", pulumi: { backend: "file:///somewhere/backend", organization: "organization" } };
}

/** An empty folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "bottle-unit-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
