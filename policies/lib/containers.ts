// Containers, whoever asks for them: services of a Compose file in a command's stdin, and docker.Container. In Compose's words.
import { readCompose, type ComposeFile } from "./compose.ts";
import { resourceRule, type Report, type Rule } from "./rule.ts";
import { child, entries, isObject, known, list, UNKNOWN, type Plain } from "./values.ts";

export interface Container {
  /** Service, or the resource's name. */
  readonly name: string;
  /** In Compose's words. */
  readonly spec: Plain;
  /** Where a key of `spec` stands in the resource. */
  readonly path: (key?: string) => string;
  /** What the service is part of; undefined for a docker.Container. */
  readonly file?: ComposeFile;
}

const CONTAINER = "docker:index/container:Container";

/** docker.Container's inputs by Compose's words. */
const inputNames: Readonly<Record<string, string>> = {
  networks: "networksAdvanced",
  network_mode: "networkMode",
  pid: "pidMode",
  ipc: "ipcMode",
  userns_mode: "usernsMode",
  cgroup: "cgroupnsMode",
  cgroup_parent: "cgroupParent",
  volumes: "mounts",
  cap_add: "capabilities.adds",
  cap_drop: "capabilities.drops",
  security_opt: "securityOpts",
  read_only: "readOnly",
  group_add: "groupAdds",
  environment: "envs",
  mem_limit: "memory",
  extra_hosts: "hosts",
  logging: "logOpts",
};

/** The containers that a resource stands for. */
export function containersOf(type: string, inputs: Plain): Container[] {
  if (type === CONTAINER) return [{ name: typeof inputs["name"] === "string" ? inputs["name"] : "container", spec: inComposeWords(inputs), path: (key) => (key === undefined ? "the container" : (inputNames[key] ?? key)) }];
  const reading = readCompose(type, inputs);
  if (reading === undefined || !("file" in reading)) return [];
  return entries(reading.file.services).map(([name, spec]) => {
    const own = child("stdin: services", name);
    return { name, spec: isObject(spec) ? spec : {}, path: (key) => (key === undefined ? own : child(own, key)), file: reading.file };
  });
}

function inComposeWords(inputs: Plain): Plain {
  const { capabilities, networksAdvanced, mounts, volumes, labels, logDriver, logOpts, memory, publishAllPorts, hosts } = inputs;
  const given: Plain = Object.fromEntries(Object.entries(inputNames).map(([word, input]) => [word, inputs[input]]));
  const mounted = [
    ...list(mounts),
    ...list(volumes).map((volume) => (isObject(volume) ? { type: volume["hostPath"] === undefined ? "volume" : "bind", source: volume["hostPath"] ?? volume["volumeName"] ?? volume["fromContainer"], target: volume["containerPath"] } : volume)),
  ];
  return Object.fromEntries(
    Object.entries({
      ...inputs,
      ...given,
      cap_add: isObject(capabilities) ? capabilities["adds"] : capabilities,
      cap_drop: isObject(capabilities) ? capabilities["drops"] : capabilities,
      networks: networksAdvanced === UNKNOWN ? UNKNOWN : networksAdvanced && list(networksAdvanced).map((network) => (isObject(network) ? network["name"] : network)),
      ports: inputs["ports"] ?? (publishAllPorts === true ? ["all"] : undefined),
      volumes: mounts === UNKNOWN || volumes === UNKNOWN ? UNKNOWN : mounted,
      labels: list(labels).length > 0 ? Object.fromEntries(list(labels).map((each) => (isObject(each) ? [each["label"], each["value"]] : []))) : labels,
      extra_hosts: Object.fromEntries(list(hosts).map((each) => (isObject(each) ? [each["host"], each["ip"]] : []))),
      logging: { driver: logDriver, options: logOpts },
      mem_limit: memory,
    }).filter(([, value]) => value !== undefined),
  );
}

/** Lets a team take services out of a rule. */
const exceptServices = { type: "array" as const, items: { type: "string" as const }, default: [], description: "Services that the rule leaves alone." };

/** A rule about each container. */
export function containerRule<Config extends object>({ check, config, ...rule }: Rule & { readonly check: (container: Container, report: Report, config: Config) => void }) {
  return resourceRule<Config & { exceptServices?: string[] }>({
    ...rule,
    config: { ...config, exceptServices },
    check: ({ type, inputs }, report, settings) => {
      for (const container of containersOf(type, inputs)) {
        if (!(settings.exceptServices ?? []).includes(container.name)) check(container, report, settings);
      }
    },
  });
}

/** A value of the container. @throws NotKnown, which the rule's wrapper reports */
export function value(container: Container, key: string): unknown {
  return known(container.spec[key], container.path(key));
}

/** A list of texts; Compose's mapping form (`{A: b}`) reads as `A=b`. Every element counts, as text. */
export function textList(container: Container, key: string): string[] {
  const all = value(container, key);
  if (isObject(all)) return Object.entries(all).map(([name, each]) => (each === null ? name : `${name}=${String(each)}`));
  return Array.isArray(all) ? all.map(String) : all === undefined || all === null ? [] : [String(all)];
}

/** Compose takes texts for booleans too. @returns undefined where it is neither */
export function truth(given: unknown): boolean | undefined {
  if (given === undefined || given === null) return false;
  const text = String(given).toLowerCase();
  return ["true", "yes", "on", "y", "1"].includes(text) ? true : ["false", "no", "off", "n", "0"].includes(text) ? false : undefined;
}
