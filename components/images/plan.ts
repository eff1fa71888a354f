// Which images a bottle needs and how each comes to be. Pure but for reading build contexts.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Identity } from "../identity.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { contextHash, sourcesHash } from "./context-hash.ts";
import type { ImageRequest } from "./ensure.ts";

const contexts = {
  claude: fileURLToPath(new URL("../agent/image", import.meta.url)),
  egress: fileURLToPath(new URL("../egress/image", import.meta.url)),
  gitGate: fileURLToPath(new URL("../git-gate/image", import.meta.url)),
  supervise: fileURLToPath(new URL("../supervise/image", import.meta.url)),
};

/** Modules of ours that go into an image, below its Dockerfile's context `components`: a sidecar then checks just as the host does. */
export const sharedModules: Readonly<Record<string, readonly string[]>> = {
  supervise: ["manifest", "subnets.ts", "supervise/config.ts", "supervise/request.ts"],
};

/** Where the published package keeps them, below components/. */
export const SHARED_MODULES = "shared-modules";

/** Further build contexts of a sidecar's image, and what makes it another image when they change. */
export function buildContexts(sidecar: string): { readonly contexts?: Readonly<Record<string, string>>; readonly hash?: string } {
  const modules = sharedModules[sidecar];
  if (modules === undefined) return {};
  // In the published package the sources themselves lie apart from what they were built to.
  const sources = fileURLToPath(new URL(`../${SHARED_MODULES}`, import.meta.url));
  const components = existsSync(sources) ? sources : fileURLToPath(new URL("..", import.meta.url));
  return { contexts: { components }, hash: sourcesHash(components, modules) };
}

export interface PlanInput {
  readonly manifest: Manifest;
  readonly identity: Identity;
  readonly project: string;
  /** PEM files that builds trust beside the public roots. */
  readonly trust: readonly string[];
}

/** The agent's image, before the workspace is put into it. */
export function agentImage({ manifest, identity, project, trust }: PlanInput): ImageRequest {
  const { agent, images } = manifest;
  if (agent.image !== undefined) return { image: agent.image };
  if (agent.build !== undefined) {
    const { dockerfile, target, args } = agent.build;
    const context = resolve(project, agent.build.context);
    const hash = hashIfThere(context, { dockerfile, target, args });
    return {
      image: `${identity.composeProject}-agent:${hash}`,
      build: { context, dockerfile, target, args, labels: { ...identity.labels }, trust },
    };
  }
  return ours("agent-claude", contexts.claude, { BASE: images.base, CLAUDE_CODE_VERSION: agent.claude.version }, trust);
}

/** A missing context is a fault of the machine, told elsewhere. */
function hashIfThere(context: string, extra: unknown): string {
  return existsSync(context) ? contextHash(context, extra) : "missing";
}

export function egressImage({ manifest, trust }: PlanInput): ImageRequest {
  const { egress, base } = manifest.images;
  return egress === undefined ? ours("egress", contexts.egress, { BASE: base }, trust) : { image: egress };
}

/** @param user owner of the mirrors: a named volume takes its owner from the image. */
export function gitGateImage({ manifest, trust }: PlanInput, user: { readonly uid: number; readonly gid: number }): ImageRequest {
  const { gitGate, base } = manifest.images;
  return gitGate === undefined ? ours("git-gate", contexts.gitGate, { BASE: base, UID: String(user.uid), GID: String(user.gid) }, trust) : { image: gitGate };
}

export function superviseImage({ manifest, trust }: PlanInput): ImageRequest {
  const { supervise, base } = manifest.images;
  return supervise === undefined ? ours("supervise", contexts.supervise, { BASE: base }, trust) : { image: supervise };
}

export function pipelockImage({ manifest }: PlanInput): ImageRequest {
  return { image: manifest.images.pipelock };
}

/** An image of ours, shared by all bottles: named by the hash of what goes into it, labelled with the project alone. */
function ours(name: string, context: string, args: Record<string, string>, trust: readonly string[]): ImageRequest {
  const { contexts, hash } = buildContexts(name);
  return { image: `bottle-${name}:${contextHash(context, hash === undefined ? args : { ...args, hash })}`, build: { context, args, labels: { "bottle.project": "bottle" }, contexts, trust } };
}
