// What the package gives: the components and the manifest, for stacks in a repository of one's own.
export { Bottle } from "./bottle.ts";
export { readStack, type BottleArgs } from "./stack.ts";
export { ManifestError, readManifest, type Manifest } from "./manifest/manifest.ts";
export type { Identity } from "./identity.ts";
export type { Machine } from "./machine/machine.ts";
