// What the running Pulumi program is told: stack config, identity, whether this is a preview.
import * as pulumi from "@pulumi/pulumi";
import { DRIFT } from "./drift/drift.ts";
import { identify, type Identity } from "./identity.ts";
import { backendUrl, shownBackend } from "./machine/backend.ts";
import { lookAtMachine, type Machine } from "./machine/machine.ts";
import { removeStrays } from "./machine/strays.ts";
import { configValue, readManifest, type Manifest } from "./manifest/manifest.ts";
import { stateFolder } from "./state-folder.ts";

/** Where Pulumi keeps the stack. */
export interface PulumiPlace {
  /** Without credentials; see shownBackend. */
  readonly backend: string;
  readonly organization: string;
}

/** Everything {@link Bottle} is made from. */
export interface BottleArgs {
  readonly identity: Identity;
  readonly manifest: Manifest;
  readonly machine: Machine;
  /** Absolute path of the Pulumi project. */
  readonly project: string;
  readonly pulumi: PulumiPlace;
}

const NAMESPACE = "bottle";

/**
 * Reads the current stack. Faults of the manifest fail preview already; faults of the machine are
 * warnings in preview and errors at the start of an update, before the first resource.
 *
 * @throws pulumi.RunError, which Pulumi shows without a stack trace.
 */
export async function readStack(): Promise<BottleArgs> {
  // Node strips types in place, so positions are right as they are. Pulumi maps every stack through
  // source maps, and its SDK takes one for each promise: 0.4 s an update.
  (Error as { prepareStackTrace?: unknown }).prepareStackTrace = undefined;
  const project = process.cwd();
  try {
    const manifest = readManifest(stackConfig(), (key) => isSecret(key));
    const [backend, organization] = [backendUrl(project), pulumi.getOrganization()];
    const identity = identify(backend, organization, pulumi.getProject(), pulumi.getStack());
    const machine = await lookAtMachine(project, identity, manifest);
    if (pulumi.runtime.isDryRun()) {
      for (const fault of machine.faults) await pulumi.log.warn(fault);
      for (const finding of machine.drift.findings) await pulumi.log.warn(`${DRIFT}${finding}; \`pulumi up\` mends it`);
    } else {
      if (machine.faults.length > 0) throw new Error(`this machine is not ready for the bottle, and nothing was changed:\n${machine.faults.map((fault) => `  - ${fault}`).join("\n")}`);
      for (const finding of machine.drift.findings) await pulumi.log.info(`mending drift: ${finding}`);
      const strays = await removeStrays(identity, machine.engine, stateFolder(project, identity.slug).metadata, project);
      if (strays.length > 0) await pulumi.log.info(`removed what an interrupted update left behind: ${strays.join(", ")}`);
    }
    for (const { auth, name } of manifest.network.routes) {
      if (auth?.optional && auth.source === "variable" && !process.env[auth.token]) {
        await pulumi.log.info(`${auth.token} is not set: requests of route ${name} go on without a credential`);
      }
    }
    if (manifest.network.expired.length > 0) await pulumi.log.info(`the end of ${manifest.network.expired.join(", ")} has passed: left out; remove what you no longer want`);
    return { identity, manifest, machine, project, pulumi: { backend: shownBackend(backend), organization } };
  } catch (error) {
    throw new pulumi.RunError((error as Error).message);
  }
}

/** Values of the `bottle:` keys, by key without the prefix. */
function stackConfig(): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(pulumi.runtime.allConfig())
      .filter(([key]) => key.startsWith(`${NAMESPACE}:`))
      .map(([key, value]) => [key.slice(NAMESPACE.length + 1), configValue(value as string)]),
  );
}

/** Pulumi hands a nested `secure:` value over as plain text and marks the whole key; not in its types. */
function isSecret(key: string): boolean {
  const { isConfigSecret } = pulumi.runtime as unknown as { isConfigSecret(key: string): boolean };
  return isConfigSecret(`${NAMESPACE}:${key}`);
}
