// A bottle without Pulumi: the same files from the same renderers, networks as Pulumi makes them, brought up by Compose.
// For machines that have an engine and no CLI; and, with holes on purpose, to show that the suite finds them.
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { rootCertificates } from "node:tls";
import { parse, stringify } from "yaml";
import { claudeEnvironment } from "../../../components/agent/claude.ts";
import { provision } from "../../../components/agent/provision.ts";
import { provisionSpec } from "../../../components/agent/provisioning.ts";
import { renderSaveWork, workspaceLabels } from "../../../components/agent/save-work.ts";
import { agentService } from "../../../components/agent/service.ts";
import { buildWorkspaceImage } from "../../../components/agent/workspace.ts";
import { renderComposeFile } from "../../../components/compose/compose-file.ts";
import { renderDown, renderSweep } from "../../../components/compose/teardown.ts";
import { needsEgress, renderRules } from "../../../components/egress/rules.ts";
import { egressService } from "../../../components/egress/service.ts";
import { ownedFile, ownedFolder } from "../../../components/files/owned-files.ts";
import { fillSecretFolder } from "../../../components/files/secret-folder.ts";
import { GATE_CONFIG, renderGateConfig } from "../../../components/git-gate/config.ts";
import { gitGateService, MIRRORS } from "../../../components/git-gate/service.ts";
import { identify, type Identity } from "../../../components/identity.ts";
import { ensureImage } from "../../../components/images/ensure.ts";
import { agentImage, egressImage, gitGateImage, pipelockImage, superviseImage } from "../../../components/images/plan.ts";
import { memoryFolder } from "../../../components/machine/secrets.ts";
import { trustFiles } from "../../../components/machine/trust.ts";
import { readManifest, type Manifest } from "../../../components/manifest/manifest.ts";
import { networkName } from "../../../components/networks.ts";
import { RECEIPT_KEY, renderPipelockConfig } from "../../../components/pipelock/config.ts";
import { liveEvidence } from "../../../components/pipelock/evidence.ts";
import { newReceiptKey } from "../../../components/pipelock/receipt-key.ts";
import { pipelockService } from "../../../components/pipelock/service.ts";
import { superviseService } from "../../../components/supervise/service.ts";
import { stateFolder, type StateFolder } from "../../../components/state-folder.ts";
import { bottleSubnet, guestRange, networkRoles, networkSubnets } from "../../../components/subnets.ts";
import type { Manifest as Config } from "../../lib/e2e-project.ts";
import { ok, run } from "../../lib/run.ts";
import type { Bottle, Form } from "../lab.ts";

const owner = { uid: 1000, gid: 1000 };

/** The part of a Compose file that holes are made in. */
export interface ComposeDocument {
  services: Record<string, Record<string, unknown>>;
  networks: Record<string, unknown>;
}

/** Holes: what an open bottle has otherwise than a real one. */
export interface Holes {
  /** Whether the host has an address on the agent's networks. */
  readonly gateways: boolean;
  /** Changes the rendered Compose file. */
  readonly compose: (document: ComposeDocument, bottle: EngineBottle) => void;
}

export class EngineBottle implements Bottle {
  readonly form: Form;
  readonly identity: Identity;
  readonly subnets: Bottle["subnets"];
  readonly state: string;
  /** Stands for the Pulumi project's folder. */
  readonly project: string;
  #saveWork = ":";

  constructor(name: string, form: Form) {
    this.form = form;
    this.project = realpathSync(mkdtempSync(join(tmpdir(), "bottle-contain-")));
    this.identity = identify(`file://${this.project}/${randomBytes(4).toString("hex")}`, "organization", "bottle", name);
    this.subnets = networkSubnets(bottleSubnet("10.192.0.0/12", this.identity.instance));
    this.state = stateFolder(this.project, this.identity.slug).root;
  }

  container(service: string): string {
    return `${this.identity.composeProject}-${service}-1`;
  }

  /** @param tokens by variable, as the shell of `pulumi up` would have them */
  async up(config: Config, tokens: Readonly<Record<string, string>>, holes?: Holes): Promise<void> {
    const { identity, subnets, project } = this;
    const manifest = readManifest({ ...config });
    const folder = stateFolder(project, identity.slug);
    const plan = { manifest, identity, project, trust: trustFiles(undefined, project).paths };
    const images = { agent: agentImage(plan), egress: egressImage(plan), pipelock: pipelockImage(plan), gitGate: manifest.git.upstreams.length > 0 ? gitGateImage(plan, owner) : undefined, supervise: manifest.supervise ? superviseImage(plan) : undefined };
    const behindEgress = needsEgress({ ...manifest.network, supervise: manifest.supervise });
    for (const request of [images.agent, images.pipelock, ...(behindEgress ? [images.egress] : []), ...[images.gitGate, images.supervise].filter((request) => request !== undefined)]) await ensureImage(request);
    const workspaceImage = `${identity.composeProject}-workspace:contain`;
    await buildWorkspaceImage({ image: workspaceImage, agentImage: images.agent.image, source: manifest.agent.workspace.path, ...owner, labels: identity.labels });
    this.#saveWork = renderSaveWork({ identity, image: workspaceImage, ...owner });

    await this.#writeFiles(folder, manifest);
    const memory = memoryFolder(identity.instance);
    const secrets = (sidecar: string) => join(memory ?? join(project, "memory"), sidecar);
    fillSecretFolder(secrets("egress"), owner, new Map(Object.entries(tokens)), "contain");
    fillSecretFolder(secrets("git-gate"), owner, new Map(), "contain");

    const user = `${owner.uid}:${owner.gid}`;
    const shared = { folder, subnets, user, cpus: 2 };
    const services = [
      pipelockService({ ...shared, image: images.pipelock.image, behindEgress }),
      ...(behindEgress ? [egressService({ ...shared, image: images.egress.image, supervise: manifest.supervise, tokenFolder: secrets("egress"), tokenVariables: [] })] : []),
      ...(images.gitGate ? [gitGateService({ ...shared, image: images.gitGate.image, git: manifest.git, secrets: secrets("git-gate"), tokenVariables: [] })] : []),
      ...(images.supervise ? [superviseService({ image: images.supervise.image, user, folder, subnets })] : []),
      agentService({
        ...{ manifest, image: workspaceImage, ...owner, folder, subnets, proxyService: behindEgress ? ("egress" as const) : ("pipelock" as const) },
        limits: { ...manifest.agent.limits, cpus: manifest.agent.limits.cpus ?? 2 },
        environment: claudeEnvironment(manifest.agent.claude.login),
      }),
    ];
    const document = parse(
      renderComposeFile({
        ...{ identity, services, networks: Object.fromEntries(networkRoles.map((role) => [role, networkName(identity, role)])) },
        volumes: {
          home: { name: `${identity.composeProject}-home` },
          workspace: { name: `${identity.composeProject}-workspace-contain`, labels: workspaceLabels },
          ...(images.gitGate && { [MIRRORS]: { name: `${identity.composeProject}-${MIRRORS}` } }),
        },
      }),
    ) as ComposeDocument;
    holes?.compose(document, this);
    ownedFile(folder.composeFile, stringify(document, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN" }), owner);
    await this.#makeNetworks(holes?.gateways ?? false);
    await ok("docker", ["compose", "--project-name", identity.composeProject, "--file", folder.composeFile, "up", "--detach", "--wait", "--wait-timeout", "60"], { timeout: 120_000 });
    await provision(provisionSpec({ manifest, identity, project, container: this.container("agent"), ...owner }));
  }

  /** As components/networks.ts has them. */
  async #makeNetworks(gateways: boolean): Promise<void> {
    for (const role of networkRoles) {
      const { cidr, gateway } = this.subnets[role];
      const labels = Object.entries(this.identity.labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
      const isolated = role === "egress" ? [] : ["--internal", ...(gateways ? [] : ["--opt", "com.docker.network.bridge.gateway_mode_ipv4=isolated"])];
      await ok("docker", ["network", "create", "--driver", "bridge", "--subnet", cidr, "--gateway", gateway, ...isolated, ...labels, networkName(this.identity, role)]);
    }
  }

  async #writeFiles(folder: StateFolder, manifest: Manifest): Promise<void> {
    const { hosts, routes } = manifest.network;
    const put = (path: string, text: string): void => (ownedFolder(dirname(path), owner), ownedFile(path, text, owner));
    const pipelock = await authority("pipelock");
    const egress = await authority("egress");
    put(join(folder.pipelock.ca, "ca-key.pem"), pipelock.key);
    put(join(folder.pipelock.ca, "ca.pem"), pipelock.certificate);
    put(join(folder.egress.ca, "mitmproxy-ca.pem"), egress.key + egress.certificate);
    put(join(folder.egress.rules, "rules.yaml"), renderRules({ hosts, routes }));
    ownedFolder(folder.egress.evidence, owner);
    ownedFolder(liveEvidence(folder.pipelock.evidence), owner);
    put(join(folder.pipelock.config, RECEIPT_KEY), newReceiptKey());
    put(join(folder.pipelock.config, "pipelock.yaml"), renderPipelockConfig({ guests: guestRange(this.subnets), hosts, routes }));
    if (manifest.git.upstreams.length > 0) {
      put(join(folder.gitGate.config, GATE_CONFIG), renderGateConfig(manifest.git, { knownHosts: {} }));
      ownedFolder(folder.gitGate.evidence, owner);
    }
    for (const path of [folder.supervise.requests, folder.supervise.answers, folder.gitGate.config, folder.gitGate.evidence]) ownedFolder(path, owner);
    const extra = trustFiles(manifest.trust.caFiles, this.project).paths.map((path) => readFileSync(path, "utf8"));
    const bundle = (...certificates: string[]) => [...rootCertificates, ...extra, ...certificates].map((pem) => `${pem.trim()}\n`).join("");
    put(join(folder.pipelock.trust, "upstream.pem"), bundle());
    put(join(folder.egress.trust, "upstream.pem"), bundle(pipelock.certificate));
    put(join(folder.gitGate.trust, "upstream.pem"), bundle());
    mkdirSync(folder.agent.ca, { recursive: true });
    writeFileSync(join(folder.agent.ca, "ca-certificates.crt"), bundle(egress.certificate, pipelock.certificate));
  }

  /** By the very scripts that `pulumi destroy` runs. */
  async destroy(): Promise<void> {
    const { identity, state } = this;
    for (const script of [renderDown(identity, state, this.#saveWork), renderSweep(identity, state, memoryFolder(identity.instance))]) {
      const { code, stdout, stderr } = await run("sh", ["-c", script], { timeout: 180_000 });
      if (code !== 0) throw new Error(`teardown: exit code ${code}\n${stdout}${stderr}`);
    }
  }

  async dispose(): Promise<void> {
    try {
      await this.destroy();
    } finally {
      rmSync(this.project, { recursive: true, force: true });
    }
  }
}

/** An authority as components/certificate-authority.ts makes it, by the openssl command line. */
async function authority(name: string): Promise<{ key: string; certificate: string }> {
  const folder = mkdtempSync(join(tmpdir(), "bottle-contain-ca-"));
  try {
    const openssl = (...args: string[]) => ok("openssl", args, { cwd: folder });
    await openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key");
    await openssl("req", "-x509", "-new", "-key", "key", "-out", "certificate", "-days", "2", "-subj", `/O=bottle/CN=bottle contain ${name}`, "-addext", "keyUsage=critical,keyCertSign,cRLSign");
    const read = (file: string) => readFileSync(join(folder, file), "utf8");
    return { key: read("key"), certificate: read("certificate") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

