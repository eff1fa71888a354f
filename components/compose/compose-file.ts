// Service specs → docker-compose.yml, the one place that knows Compose's own words. Pure.
import { stringify } from "yaml";
import type { Identity } from "../identity.ts";
import type { Mount, ServiceSpec } from "../service-spec.ts";
import type { NetworkRole } from "../subnets.ts";

export interface ComposeInput {
  readonly identity: Identity;
  readonly services: readonly ServiceSpec[];
  /** Docker network names by role; made by Pulumi, so external to Compose. */
  readonly networks: Partial<Record<NetworkRole, string>>;
  /** Named volumes by key. */
  readonly volumes: Readonly<Record<string, { readonly name: string; readonly labels?: Readonly<Record<string, string>> }>>;
}

/** Rotated logs: no flood of lines fills the host's disk. */
const logging = { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } };

/**
 * Renders the Compose file of a bottle. It holds no value of an inherited variable, no token and
 * no output of a Pulumi resource: a policy reads all of it in the first preview.
 *
 * @returns YAML; strings are quoted, as Compose reads a bare 2026-11-24 as a date.
 */
export function renderComposeFile(input: ComposeInput): string {
  const { identity, services, networks, volumes } = input;
  const document = {
    name: identity.composeProject,
    services: Object.fromEntries(services.map((service) => [service.name, renderService(service, identity)])),
    networks: Object.fromEntries(Object.entries(networks).map(([role, name]) => [role, { external: true, name }])),
    ...(Object.keys(volumes).length > 0 && {
      volumes: Object.fromEntries(
        Object.entries(volumes).map(([key, volume]) => [key, { name: volume.name, labels: { ...identity.labels, ...volume.labels } }]),
      ),
    }),
  };
  return `# Rendered by bottle at every \`pulumi up\`; edits are lost.\n${stringify(document, { lineWidth: 0, defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", aliasDuplicateObjects: false })}`;
}

function renderService(service: ServiceSpec, identity: Identity): Record<string, unknown> {
  return {
    image: service.image,
    pull_policy: "never", // set-up and `up` bring images; Compose never reaches for a registry on its own
    ...(service.command && { command: [...service.command] }),
    user: service.user,
    ...(service.workingDirectory && { working_dir: service.workingDirectory }),
    // Compose's own notation: a bare name inherits, `$` would be interpolated.
    environment: Object.entries(service.environment).map(([name, value]) => (value === null ? name : `${name}=${escape(value)}`)),
    networks: Object.fromEntries(
      Object.entries(service.networks).map(([role, at]) => [role, { ipv4_address: at.address, ...(at.aliases && { aliases: [...at.aliases] }) }]),
    ),
    ...(Object.keys(service.hosts).length > 0 && { extra_hosts: { ...service.hosts } }),
    ...(service.mounts.length > 0 && { volumes: service.mounts.map(renderMount) }),
    ...(Object.keys(service.tmpfs).length > 0 && { tmpfs: Object.entries(service.tmpfs).map(([path, options]) => `${path}:${options},${owned(service.user)}`) }),
    ...(service.health && {
      healthcheck: {
        test: ["CMD", ...service.health.command],
        interval: `${service.health.interval}ms`,
        timeout: `${service.health.timeout}ms`,
        start_interval: `${service.health.startInterval}ms`,
        start_period: `${service.health.startPeriod}ms`,
        retries: service.health.retries,
      },
    }),
    ...(service.dependsOn.length > 0 && {
      depends_on: Object.fromEntries(service.dependsOn.map((name) => [name, { condition: "service_healthy" }])),
    }),
    ...(service.runtime && service.runtime !== "runc" && { runtime: service.runtime }),
    init: true, // reaps zombies and passes SIGTERM on, so that down takes no 10 s
    restart: "unless-stopped",
    stop_grace_period: "2s",
    read_only: service.readOnlyRoot,
    cap_drop: ["ALL"],
    ...(service.capabilities.length > 0 && { cap_add: [...service.capabilities] }),
    security_opt: ["no-new-privileges:true"],
    cpus: service.limits.cpus,
    mem_limit: service.limits.memory,
    pids_limit: service.limits.pids,
    ...(service.limits.fileSize !== undefined && { ulimits: { fsize: service.limits.fileSize } }),
    logging,
    labels: { ...identity.labels },
  };
}

function renderMount(mount: Mount): Record<string, unknown> {
  return {
    type: mount.kind,
    source: mount.kind === "bind" ? escape(mount.source) : mount.source,
    target: mount.target,
    ...(mount.readOnly && { read_only: true }),
    // A missing source is an error, never a new root-owned directory.
    ...(mount.kind === "bind" && { bind: { create_host_path: false } }),
  };
}

/** After a restart of the container a tmpfs keeps its owner, but not always its mode (Docker 28): the service owns it. */
function owned(user: string): string {
  const [uid, gid] = user.split(":");
  return `uid=${uid},gid=${gid}`;
}

/** Compose interpolates `$`; `$$` is a plain one. */
function escape(text: string): string {
  return text.replaceAll("$", "$$$$");
}
