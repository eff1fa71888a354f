// A bottle: composition only. What each part needs is in its own folder.
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { Agent } from "./agent/agent.ts";
import { ComposeProject } from "./compose/project.ts";
import { renderComposeFile } from "./compose/compose-file.ts";
import { Egress } from "./egress/egress.ts";
import { needsEgress } from "./egress/rules.ts";
import { PROXY_NAME, PROXY_PORT } from "./egress/service.ts";
import { GitGate } from "./git-gate/git-gate.ts";
import { covers } from "./manifest/hosts.ts";
import type { Route } from "./manifest/manifest.ts";
import { metadata } from "./metadata.ts";
import { Networks, networkName } from "./networks.ts";
import { Pipelock } from "./pipelock/pipelock.ts";
import type { SharedArgs } from "./shared.ts";
import { Supervise } from "./supervise/supervise.ts";
import type { BottleArgs } from "./stack.ts";
import { stateFolder } from "./state-folder.ts";
import { networkRoles, networkSubnets, type NetworkRole } from "./subnets.ts";
import { generationOf, Sweeper } from "./sweeper.ts";
import { TrustBundles } from "./trust-bundles.ts";

export type { BottleArgs } from "./stack.ts";

/**
 * One coding agent in a container whose only way out is the proxy chain.
 *
 * @example
 * const stack = await readStack();
 * export const { attach } = new Bottle(stack.identity.slug, stack);
 */
export class Bottle extends pulumi.ComponentResource {
  /** The line that enters the bottle (`docker exec -it …`). */
  readonly attach: string;
  readonly agentContainer: string;
  readonly proxyUrl: string;
  readonly composeProject: string;
  /** Docker network names by role. */
  readonly networks: Record<NetworkRole, string>;
  /** Absolute path of the bottle's files. */
  readonly state: string;

  constructor(name: string, args: BottleArgs, options?: pulumi.ComponentResourceOptions) {
    const { identity } = args;
    const { engine, tokenRevision, git } = args.machine;
    const provider = new docker.Provider(name, engine.context === undefined ? { host: engine.host } : { context: engine.context }, options);
    super("bottle:index:Bottle", name, {}, { ...options, providers: [provider] });

    const shared = share(args);
    const { folder } = shared;
    const networkNames = Object.fromEntries(networkRoles.map((role) => [role, networkName(identity, role)])) as Record<NetworkRole, string>;

    const sweeper = new Sweeper(name, shared, { parent: this });
    const after = { parent: this, dependsOn: [sweeper] };
    const networks = new Networks(name, shared, after);
    const pipelock = new Pipelock(`${name}-pipelock`, shared, after);
    const egress = new Egress(`${name}-egress`, shared, after);
    const gitGate = new GitGate(`${name}-git-gate`, shared, after);
    const supervise = new Supervise(`${name}-supervise`, shared, after);
    const authorities = { pipelock: pipelock.authority, egress: egress.authority };
    const trust = new TrustBundles(name, { ...shared, authorities }, after);
    const agent = new Agent(`${name}-agent`, shared, after);

    const composeFile = renderComposeFile({
      identity,
      services: [pipelock.service, egress.service, gitGate.service, supervise.service, agent.service].filter((service) => service !== undefined),
      networks: networkNames,
      volumes: { ...agent.volumes, ...gitGate.volumes },
    });
    const compose = new ComposeProject(
      name,
      {
        identity,
        composeFile,
        stateRoot: folder.root,
        engineEnvironment: engine.environment,
        networkIds: networks.ids,
        metadata: metadata({ ...shared, networks, authorities, agentContainer: agent.container }),
        revision: [shared.generation, tokenRevision, ...(gitGate.service ? [git.revision] : [])].join(" "),
        repair: args.machine.drift.repair,
        agentRepair: args.machine.drift.agentRepair,
        saveWork: agent.saveWork,
        needs: [...pipelock.needs, ...egress.needs, ...gitGate.needs, ...supervise.needs, ...trust.needs, ...agent.needs],
      },
      after,
    );
    agent.provision(compose.up);
    gitGate.check(compose.up);

    this.attach = agent.attach;
    this.agentContainer = agent.container;
    this.proxyUrl = `http://${PROXY_NAME}:${PROXY_PORT}`;
    this.composeProject = identity.composeProject;
    this.networks = networkNames;
    this.state = folder.root;
    this.registerOutputs({ attach: this.attach });
  }
}

function share(args: BottleArgs): SharedArgs {
  const { identity, manifest, machine, project } = args;
  const { hosts } = manifest.network;
  const odd = machine.packages.ports.map(
    ({ host, scheme, port }): Route => ({ name: `mirror-${host.replaceAll(".", "-")}-${port}`, host, scheme, port, websocket: false, inspect: false, private: [] }),
  );
  const routes = [...manifest.network.routes, ...odd.filter(({ host }) => !manifest.network.routes.some((route) => covers(route.host, host)))];
  const folder = stateFolder(project, identity.slug);
  // A mirror that the manifest names itself keeps what it says there.
  const mirrors = machine.packages.hosts.filter((host) => ![...hosts, ...routes].some((entry) => covers(entry.host, host)));
  const allowed = [...hosts, ...mirrors.map((host) => ({ host, inspect: false, private: [] }))];
  return {
    ...args,
    folder,
    subnets: networkSubnets(machine.subnet),
    hosts: allowed,
    routes,
    behindEgress: needsEgress({ hosts: allowed, routes, supervise: manifest.supervise }),
    owner: `${machine.sidecarUser.uid}:${machine.sidecarUser.gid}`,
    generation: generationOf(folder.root, machine.drift.missingFiles),
  };
}
