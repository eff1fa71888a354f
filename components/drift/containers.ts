// A project's containers as its Compose file declares them, against what the engine says of them. Pure.
import type { Inspected } from "./look.ts";

/** What differs, and by that how it is mended. */
export interface Finding {
  readonly service: string;
  readonly kind: "missing" | "stopped" | "paused" | "unhealthy" | "changed" | "undeclared";
  /** Reads on after the service's name; names variables, never values. */
  readonly problem: string;
  readonly container?: string;
}

/** What is read of our own Compose file; see renderComposeFile. */
export interface ComposeDocument {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks?: Readonly<Record<string, { readonly name: string }>>;
  readonly volumes?: Readonly<Record<string, { readonly name: string }>>;
}

interface ComposeService {
  readonly image: string;
  readonly user?: string;
  readonly environment?: readonly string[];
  readonly networks?: Readonly<Record<string, { readonly ipv4_address?: string }>>;
  readonly volumes?: readonly { readonly type: string; readonly source: string; readonly target: string; readonly read_only?: boolean }[];
  readonly cpus?: number;
  readonly mem_limit?: string;
  readonly pids_limit?: number;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}

/**
 * @param hashes Compose's hash by service as the last `up` left it: another one means that somebody ran
 *   Compose with another file. What can be changed without a new container is compared piece by piece.
 */
export function compareContainers(document: ComposeDocument, containers: readonly Inspected[], hashes: Readonly<Record<string, string>> = {}): Finding[] {
  const found = new Map(containers.map((container) => [container.Config.Labels["com.docker.compose.service"] ?? "", container]));
  const declared = Object.entries(document.services).flatMap(([service, spec]): Finding[] => {
    const container = found.get(service);
    if (container === undefined) return [{ service, kind: "missing", problem: "is missing" }];
    const of = { service, container: container.Id };
    const hash = container.Config.Labels["com.docker.compose.config-hash"];
    const problems = differences(document, spec, container);
    if (problems.length === 0 && hashes[service] !== undefined && hash !== hashes[service]) problems.push("was made from another Compose file");
    return [...(problems.length > 0 ? [{ ...of, kind: "changed" as const, problem: problems.join(", ") }] : []), ...stateOf(container).map((state) => ({ ...of, ...state }))];
  });
  const others = [...found].filter(([service]) => !(service in document.services));
  return [...declared, ...others.map(([service, { Id, Name }]): Finding => ({ service, kind: "undeclared", container: Id, problem: `(container ${Name.slice(1)}) is not declared` }))];
}

function stateOf({ State }: Inspected): Pick<Finding, "kind" | "problem">[] {
  if (State.Status === "paused") return [{ kind: "paused", problem: "is paused" }];
  if (State.Status === "restarting") return [{ kind: "stopped", problem: `keeps exiting (exit code ${State.ExitCode})` }];
  if (State.Status === "created") return [{ kind: "stopped", problem: "was never started" }];
  if (State.Status !== "running") return [{ kind: "stopped", problem: `is stopped (exit code ${State.ExitCode})` }];
  return State.Health?.Status === "unhealthy" ? [{ kind: "unhealthy", problem: "is unhealthy" }] : [];
}

function differences(document: ComposeDocument, spec: ComposeService, { Config, HostConfig, Mounts, NetworkSettings }: Inspected): string[] {
  const is = (what: string, actual: unknown, wanted: unknown) => (actual === wanted ? [] : [`has ${what} ${text(actual)} instead of ${text(wanted)}`]);
  return [
    ...is("the image", Config.Image, spec.image),
    ...is("the user", Config.User, spec.user ?? ""),
    ...environment(spec, Config.Env ?? []),
    ...networks(document, spec, NetworkSettings.Networks ?? {}),
    ...mounts(document, spec, Mounts ?? []),
    ...is("a memory limit of", HostConfig.Memory, bytes(spec.mem_limit)),
    ...is("a CPU limit of", HostConfig.NanoCpus / 1e9, spec.cpus ?? 0),
    ...is("a limit of processes of", HostConfig.PidsLimit ?? 0, spec.pids_limit ?? 0),
    ...(HostConfig.CpuShares || HostConfig.CpuQuota || HostConfig.CpusetCpus ? ["has CPU shares, a quota or a CPU set"] : []),
    ...is("the restart policy", HostConfig.RestartPolicy.Name, spec.restart ?? "no"),
    ...is("a read-only root:", HostConfig.ReadonlyRootfs, spec.read_only ?? false),
    ...is("privileged:", HostConfig.Privileged, false),
    ...is("capabilities added:", names(HostConfig.CapAdd), names(spec.cap_add)),
    ...is("capabilities dropped:", names(HostConfig.CapDrop), names(spec.cap_drop)),
    ...(spec.security_opt ?? []).filter((option) => !(HostConfig.SecurityOpt ?? []).includes(option)).map((option) => `lacks ${option}`),
  ];
}

/** Inherited variables (a bare name) are as they were when the container was made: another shell is no drift. */
function environment({ environment = [] }: ComposeService, has: readonly string[]): string[] {
  const other = environment.filter((line) => line.includes("=")).filter((line) => !has.includes(line.replaceAll("$$", "$")));
  return other.map((line) => `has another value of the variable ${line.slice(0, line.indexOf("="))}`);
}

function networks(document: ComposeDocument, { networks: wanted = {} }: ComposeService, has: Inspected["NetworkSettings"]["Networks"]): string[] {
  const declared = new Map(Object.entries(wanted).map(([role, at]) => [document.networks?.[role]?.name ?? role, at.ipv4_address]));
  return [
    ...[...declared].flatMap(([name, address]) => {
      if (!(name in has)) return [`is not on the network ${name}`];
      return address === undefined || has[name]!.IPAMConfig?.IPv4Address === address ? [] : [`has another address than ${address} on the network ${name}`];
    }),
    ...Object.keys(has).filter((name) => !declared.has(name)).map((name) => `is on the network ${name}, which is not declared`),
  ];
}

function mounts(document: ComposeDocument, { volumes = [] }: ComposeService, has: Inspected["Mounts"]): string[] {
  const wrong = volumes.filter(({ type, source, target, read_only = false }) => {
    const mount = has.find(({ Destination }) => Destination === target);
    if (mount === undefined || mount.Type !== type || mount.RW === read_only) return true;
    if (type === "volume") return mount.Name !== (document.volumes?.[source]?.name ?? source);
    return !mount.Source.endsWith(source.replaceAll("$$", "$")); // Docker Desktop puts a path of its own before it
  });
  // Volumes without a name of ours are the image's own.
  const extra = has.filter(({ Type, Name = "", Destination }) => !volumes.some(({ target }) => target === Destination) && !(Type === "volume" && /^[0-9a-f]{64}$/.test(Name)) && Type !== "tmpfs");
  return [...wrong.map(({ target }) => `lacks the declared mount at ${target}`), ...extra.map(({ Destination }) => `has a mount at ${Destination}, which is not declared`)];
}

function names(capabilities: readonly string[] | null | undefined): string {
  return (capabilities ?? []).map((name) => name.replace(/^CAP_/, "")).sort().join(" ");
}

/** Docker's notation of sizes: 512m, 1.5g. */
function bytes(size = "0"): number {
  const [, number, unit = ""] = /^([\d.]+)\s*([kmgt])?/i.exec(size) ?? [];
  return Math.trunc(Number(number ?? 0) * 1024 ** (" kmgt".indexOf(unit.toLowerCase() || " ")));
}

function text(value: unknown): string {
  return value === "" ? "none" : String(value);
}
