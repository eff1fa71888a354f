// Calls policies as Pulumi's own server does: properties behind the proxy that throws for what is not known.
import { createRequire } from "node:module";
import * as pulumi from "@pulumi/pulumi";
import type { PolicyResource, ResourceValidationPolicy, StackValidationPolicy } from "@pulumi/policy";
import { onTestFinished } from "vitest";
import { stringify } from "yaml";

const { unknownCheckingProxy, unknownStringValue } = createRequire(import.meta.url)("@pulumi/policy/proxy.js") as { unknownCheckingProxy<T>(value: T): T; unknownStringValue: string };

/** What Pulumi gives a policy for a value that it does not know before the update. */
export const NOT_KNOWN = unknownStringValue;

export const COMMAND = "command:local:Command";
export const NETWORK = "docker:index/network:Network";
export const STACK = "pulumi:pulumi:Stack";

/** A resource to check. */
export interface Subject {
  readonly type: string;
  readonly name?: string;
  readonly props: Record<string, unknown>;
  readonly dependsOn?: readonly string[];
  readonly from?: Readonly<Record<string, readonly string[]>>;
}

type Policy = ResourceValidationPolicy | StackValidationPolicy;

/** What a policy reports of resources, in order. @param settings on top of its schema's defaults, as Pulumi lays them */
export async function findings(policy: Policy, subjects: Subject | readonly Subject[], settings: object = {}): Promise<string[]> {
  const all = (Array.isArray(subjects) ? subjects : [subjects]) as readonly Subject[];
  const messages: string[] = [];
  const defaults = Object.fromEntries(Object.entries(policy.configSchema?.properties ?? {}).map(([name, schema]) => [name, schema.default]));
  const shared = {
    stackTags: new Map<string, string>(),
    getConfig: <T>() => ({ ...defaults, ...settings }) as T,
    notApplicable: (): never => {
      throw new Error("not applicable");
    },
  };
  const report = (message: string): void => void messages.push(message);
  if ("validateStack" in policy) {
    await policy.validateStack({ ...shared, resources: inStack(all) }, report);
    return messages;
  }
  for (const { type, name = "one", props } of all) {
    const { validateResource } = policy;
    if (typeof validateResource !== "function") throw new Error(`${policy.name} has no one validateResource`);
    await validateResource({ ...shared, type, name, urn: name, props: unknownCheckingProxy(props), opts: options, isType: () => false, asType: () => undefined }, report);
  }
  return messages;
}

const options = { protect: false, ignoreChanges: [], aliases: [], customTimeouts: { createSeconds: 0, updateSeconds: 0, deleteSeconds: 0 }, additionalSecretOutputs: [] };

function inStack(subjects: readonly Subject[]): PolicyResource[] {
  const resources = subjects.map(
    ({ type, name = "one", props }): PolicyResource => ({ type, name, urn: name, props: unknownCheckingProxy(props), opts: options, dependencies: [], propertyDependencies: {}, isType: () => false, asType: () => undefined }),
  );
  const named = (names: readonly string[]) => resources.filter(({ name }) => names.includes(name));
  return resources.map((resource, index) => {
    resource.dependencies = named(subjects[index]!.dependsOn ?? []);
    resource.propertyDependencies = Object.fromEntries(Object.entries(subjects[index]!.from ?? {}).map(([key, names]) => [key, named(names)]));
    return resource;
  });
}

export const labels = { "bottle.project": "bottle", "bottle.stack": "s", "bottle.instance": "00000000" };

/** A service that no policy has anything against. */
export const goodService = {
  image: `agent@sha256:${"0".repeat(64)}`,
  user: "1000:1000",
  networks: ["inside"],
  read_only: true,
  cap_drop: ["ALL"],
  security_opt: ["no-new-privileges:true"],
  cpus: 1,
  mem_limit: "1g",
  pids_limit: 100,
  logging: { driver: "json-file", options: { "max-size": "10m" } },
  labels,
};

/** Networks that a stack has: one closed, one with a way out. */
export const networks: readonly Subject[] = [
  { type: NETWORK, name: "net-inside", props: { name: "b-inside", internal: true, options: { "com.docker.network.bridge.gateway_mode_ipv4": "isolated" }, labels: Object.entries(labels).map(([label, value]) => ({ label, value })) } },
  { type: NETWORK, name: "net-outside", props: { name: "b-outside", labels: Object.entries(labels).map(([label, value]) => ({ label, value })) } },
];

/** A Compose file with one service, `agent`. @param change on top of a good service @param document on top of the file */
export function composeFile(change: object = {}, document: object = {}): string {
  return stringify({
    name: "b",
    services: { agent: { ...goodService, ...change } },
    networks: { inside: { external: true, name: "b-inside" }, outside: { external: true, name: "b-outside" } },
    ...document,
  });
}

/** The command that brings it up. */
export function up(change: object = {}, document: object = {}): Subject {
  return { type: COMMAND, name: "up", props: { create: "exec docker compose --file - up --detach", stdin: composeFile(change, document) } };
}

/** Sets the stack's configuration for the time of the test. */
export function stackConfig(config: Readonly<Record<string, unknown>>): void {
  const before = pulumi.runtime.allConfig() as Record<string, string>;
  pulumi.runtime.setAllConfig(Object.fromEntries(Object.entries(config).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)])));
  onTestFinished(() => pulumi.runtime.setAllConfig(before));
}

/** The root of a stack, on which rules about its configuration report. */
export const root: Subject = { type: STACK, name: "stack", props: {} };
