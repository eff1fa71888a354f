// What this machine lacks for a bottle. In preview these faults are warnings; at the start of an
// update they are errors, before the first resource.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Identity } from "../identity.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { bottleSubnet, overlaps, parseCidr } from "../subnets.ts";
import { composeVersion, engineFacts, engineNetworks, seesLocalFiles, type Engine, type EngineNetwork } from "./engine.ts";

/** First engine that honours `gateway_mode_ipv4=isolated`; older ones silently ignore it. */
export const MINIMUM_ENGINE = "28.0.0";
/** First Compose whose `up --wait` and `start_interval` behave as used here. */
export const MINIMUM_COMPOSE = "2.24.0";

export interface MachineInput {
  readonly project: string;
  readonly identity: Identity;
  readonly manifest: Manifest;
  readonly engine: Engine;
  /** The bottle's /26. */
  readonly subnet: string;
  /** Names of its networks. */
  readonly networkNames: readonly string[];
  /** Environment in which tokens are looked for. */
  readonly environment: NodeJS.ProcessEnv;
}

/** @returns one line a fault: part or config key, problem, mend. Empty where all is well. */
export async function machineFaults(input: MachineInput): Promise<string[]> {
  const faults = [...fileFaults(input), ...tokenFaults(input), ...proxyFaults(input)];
  if (!seesLocalFiles(input.engine)) {
    return [...faults, `Docker engine ${input.engine.host}: is on another machine and cannot mount this one's files; choose a local one: docker context use default, or unset DOCKER_HOST`];
  }
  const [facts, compose, networks] = await Promise.all([engineFacts(input.engine), composeVersion(input.engine), engineNetworks(input.engine)]);
  if ("error" in facts) {
    return [...faults, `Docker engine ${input.engine.host}: does not answer (${facts.error}); start it, or let \`npm start\` do it`];
  }
  if (olderThan(facts.version, MINIMUM_ENGINE)) {
    faults.push(`Docker engine ${facts.version}: is too old to cut a network off from its host; ${MINIMUM_ENGINE} or newer is needed. \`npm start\` says how to get one`);
  }
  if (compose === undefined) faults.push("Docker Compose: the plugin is not there; install docker-compose-plugin (Debian: docker-compose), or let `npm start` do it");
  else if (olderThan(compose, MINIMUM_COMPOSE)) faults.push(`Docker Compose ${compose}: is too old; ${MINIMUM_COMPOSE} or newer is needed`);
  const { runtime, limits } = input.manifest.agent;
  if (!facts.runtimes.includes(runtime)) {
    faults.push(`bottle:agent.runtime: the engine has no runtime "${runtime}" (it has ${facts.runtimes.join(", ")}); register it in daemon.json, or leave the key out for runc`);
  }
  if (limits.cpus !== undefined && limits.cpus > facts.cpus) faults.push(`bottle:agent.limits.cpus: is ${limits.cpus}, but the engine has ${facts.cpus}; give ${facts.cpus} or less`);
  return [...faults, ...networkFaults(input, networks)];
}

function fileFaults({ project, manifest, identity }: MachineInput): string[] {
  const { agent } = manifest;
  const faults: string[] = [];
  const needs = (key: string, path: string, kind: "file" | "directory") => {
    const found = existsSync(resolve(project, path)) && statSync(resolve(project, path));
    if (!found) faults.push(`${key}: "${path}" is not there (looked for ${resolve(project, path)}); create it, or correct the path`);
    else if (kind === "file" ? !found.isFile() : !found.isDirectory()) faults.push(`${key}: "${path}" is not a ${kind}; give the path of a ${kind}`);
  };
  if (agent.prompt !== undefined) needs("bottle:agent.prompt", agent.prompt, "file");
  agent.skills.forEach((skill, index) => needs(`bottle:agent.skills[${index}]`, skill, "directory"));
  if (agent.workspace.path !== undefined) needs("bottle:agent.workspace.path", agent.workspace.path, "directory");
  if (agent.build !== undefined) needs("bottle:agent.build.context", agent.build.context, "directory");
  const holder = stackInFolder(project, identity.slug);
  if (holder !== undefined && holder !== identity.stack) {
    faults.push(
      `stack name "${identity.stack}": its slug "${identity.slug}" is taken by stack "${holder}" (state/${identity.slug}); ` +
        `rename one (pulumi stack rename NAME), or destroy "${holder}" and remove that folder`,
    );
  }
  return faults;
}

/** Name of the stack whose files are in `state/<slug>/`, if any. */
function stackInFolder(project: string, slug: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(project, "state", slug, "metadata.json"), "utf8")) as { stack?: string }).stack;
  } catch {
    return undefined;
  }
}

function tokenFaults({ manifest, environment }: MachineInput): string[] {
  return manifest.network.routes.flatMap(({ auth, name }) =>
    auth?.source === "variable" && !auth.optional && !environment[auth.token]
      ? [`bottle:network.routes (${name}): the variable ${auth.token} is not set; export it before \`pulumi up\`, or set auth.optional: true`]
      : [],
  );
}

function proxyFaults({ manifest, environment }: MachineInput): string[] {
  const name = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].find((key) => environment[key]);
  return name === undefined || manifest.network.proxy === "direct"
    ? []
    : [`${name} is set: going out through a company proxy is not supported; where this machine can also go out directly, set bottle:network.proxy: direct`];
}

function networkFaults({ manifest, identity, subnet, networkNames }: MachineInput, networks: readonly EngineNetwork[]): string[] {
  const others = networks.filter((network) => network.labels["bottle.instance"] !== identity.instance);
  const named = others.filter((network) => networkNames.includes(network.name));
  if (named.length > 0) {
    return named.map(({ name, id }) => `Docker network ${name}: belongs to somebody else (${id.slice(0, 12)}, no label of this bottle); remove it: docker network rm ${name}`);
  }
  const taken = [
    ...others.flatMap((network) => network.subnets.map((cidr) => ({ cidr, holder: `Docker network ${network.name}` }))),
    ...hostRoutes(networks),
  ].filter(({ cidr }) => !cidr.includes(":"));
  const clash = taken.find(({ cidr }) => overlaps(cidr, subnet));
  if (clash === undefined) return [];
  const key = manifest.network.subnet === undefined ? "bottle:network.pool" : "bottle:network.subnet";
  const free = freeSubnet(manifest.network.pool, identity.instance, taken);
  const mend = free === undefined ? "the pool is exhausted: set bottle:network.pool to a range of its own" : `set bottle:network.subnet to a free /26, such as ${free}`;
  return [`${key}: this bottle's ${subnet} is taken by ${clash.holder} (${clash.cidr}); ${mend}`];
}

/** The first free /26 of the pool after the one the instance id points at. */
export function freeSubnet(pool: string, instance: string, taken: readonly { readonly cidr: string }[]): string | undefined {
  const slots = 2 ** (26 - parseCidr(pool).prefix);
  const start = Number.parseInt(instance, 16) % slots;
  for (let step = 0; step < Math.min(slots, 4096); step++) {
    const candidate = bottleSubnet(pool, ((start + step) % slots).toString(16));
    if (!taken.some(({ cidr }) => overlaps(cidr, candidate))) return candidate;
  }
  return undefined;
}

/** IPv4 routes of this host (Linux), without the default route and those of Docker's own networks. */
function hostRoutes(networks: readonly EngineNetwork[]): { cidr: string; holder: string }[] {
  const docker = new Set(networks.flatMap((network) => network.subnets));
  let table: string;
  try {
    table = readFileSync("/proc/net/route", "utf8");
  } catch {
    return [];
  }
  return table
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))
    .map((fields) => ({ cidr: routeCidr(fields[1]!, fields[7]!), holder: `the route of this host by ${fields[0]}` }))
    .filter(({ cidr }) => !cidr.endsWith("/0") && !docker.has(cidr));
}

/** Little-endian hex, as /proc/net/route writes addresses. */
function routeCidr(destination: string, mask: string): string {
  const octets = (hex: string) => (hex.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16));
  const prefix = octets(mask).reduce((bits, octet) => bits + octet.toString(2).replaceAll("0", "").length, 0);
  return `${octets(destination).join(".")}/${prefix}`;
}

/** Compares dotted versions by their first three numbers. */
export function olderThan(version: string, minimum: string): boolean {
  const [a, b] = [version, minimum].map((text) => text.split(/[.+~-]/).slice(0, 3).map((part) => Number.parseInt(part, 10) || 0));
  for (let index = 0; index < 3; index++) if (a![index]! !== b![index]!) return (a![index] ?? 0) < (b![index] ?? 0);
  return false;
}
