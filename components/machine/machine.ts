// Everything that a bottle takes from this machine, looked at once before the program starts.
import { availableParallelism } from "node:os";
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Identity } from "../identity.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { findDrift, type Drift } from "../drift/drift.ts";
import { networkName } from "../networks.ts";
import { bottleSubnet, networkRoles } from "../subnets.ts";
import { stateFolder } from "../state-folder.ts";
import { findEngine, type Engine } from "./engine.ts";
import { gitSecretFolder, lookAtGitFiles, type GitFiles } from "./git-files.ts";
import { packageHosts, type PackageHosts } from "./packages.ts";
import { mountFaults } from "./mounted.ts";
import { machineFaults } from "./preflight.ts";
import { memoryFolder, secretRevision } from "./secrets.ts";
import { trustFiles, type TrustFiles } from "./trust.ts";

export interface Machine {
  readonly engine: Engine;
  /** The bottle's /26. */
  readonly subnet: string;
  readonly trust: TrustFiles;
  readonly packages: PackageHosts;
  /** Host folder in memory for the sidecars' secrets, where there is one. */
  readonly memoryFolder?: string;
  /** Revision of egress's tokens. */
  readonly tokenRevision: string;
  /** What git-gate takes from this machine. */
  readonly git: GitFiles;
  /** What changed behind Pulumi's back. */
  readonly drift: Drift;
  /** Who the sidecars run as: the uid that owns their files. */
  readonly sidecarUser: { readonly uid: number; readonly gid: number };
  readonly agentUser: { readonly uid: number; readonly gid: number };
  /** CPUs a container may use by default. */
  readonly cpus: number;
  /** What is missing here: one line a fault. */
  readonly faults: readonly string[];
}

const DEFAULT_UID = 1000;
const DEFAULT_CPUS = 2;

/** Looks; changes nothing. Faults are collected, for the caller to warn of or to stop at. */
export async function lookAtMachine(project: string, identity: Identity, manifest: Manifest): Promise<Machine> {
  const engine = await findEngine();
  const subnet = manifest.network.subnet ?? bottleSubnet(manifest.network.pool, identity.instance);
  const faults: string[] = [];
  const [packages, drift, found] = await Promise.all([
    packageHosts(manifest.network.packages).catch((error: Error): PackageHosts => (faults.push(error.message), { hosts: [], ports: [], environment: {} })),
    findDrift(identity, engine, stateFolder(project, identity.slug)),
    machineFaults({
      project,
      identity,
      manifest,
      engine,
      subnet,
      networkNames: networkRoles.map((role) => networkName(identity, role)),
      environment: process.env,
    }),
  ]);
  let trust: TrustFiles = { paths: [], hash: "none" };
  try {
    trust = trustFiles(manifest.trust.caFiles, project);
  } catch (error) {
    faults.push((error as Error).message);
  }
  const folder = memoryFolder(identity.instance);
  if (folder === undefined && manifest.secrets.size + manifest.gitSecrets.size > 0) {
    const key = manifest.secrets.size > 0 ? "bottle:network.routes: auth.secret" : "bottle:git.upstreams: token.secret";
    faults.push(`${key} needs a folder in memory (/dev/shm or /run/user), which this machine lacks; give the token by variable`);
  }
  const git = lookAtGitFiles(manifest.git, manifest.gitSecrets, project, gitSecretFolder(folder, stateFolder(project, identity.slug).root), process.env);
  return {
    engine,
    subnet,
    trust,
    packages,
    memoryFolder: folder,
    tokenRevision: secretRevision(folder && join(folder, "egress"), tokenValues(manifest)),
    git,
    drift,
    sidecarUser: sidecarUser(),
    agentUser: agentUser(project, manifest),
    cpus: Math.min(DEFAULT_CPUS, availableParallelism()),
    faults: [...faults, ...git.faults, ...mountFaults(project, manifest, trust.paths, process.env), ...found],
  };
}

function tokenValues(manifest: Manifest): Map<string, string | undefined> {
  return new Map(
    manifest.network.routes.flatMap(({ auth }) =>
      auth === undefined ? [] : [[auth.token, auth.source === "secret" ? manifest.secrets.get(auth.token) : process.env[auth.token]] as const],
    ),
  );
}

/** The user's own uid; where root runs Pulumi, files are given to uid 1000. */
function sidecarUser(): { uid: number; gid: number } {
  const uid = process.getuid?.() ?? DEFAULT_UID;
  return uid === 0 ? { uid: DEFAULT_UID, gid: DEFAULT_UID } : { uid, gid: process.getgid?.() ?? uid };
}

/** uid 1000, but in mode mount the owner of the directory: else one of the two could not write. */
function agentUser(project: string, manifest: Manifest): { uid: number; gid: number } {
  const { user, workspace } = manifest.agent;
  if (user !== undefined) return { uid: user, gid: user };
  if (workspace.mode === "mount" && workspace.path !== undefined) {
    try {
      const { uid, gid } = statSync(resolve(project, workspace.path));
      if (uid !== 0) return { uid, gid };
    } catch {
      // Missing: a machine fault of its own.
    }
  }
  return { uid: DEFAULT_UID, gid: DEFAULT_UID };
}
