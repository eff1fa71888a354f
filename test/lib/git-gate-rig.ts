// git-gate's real image between an agent's git and a real git server, on networks like a bottle's.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentImage, gitGateImage } from "../../components/images/plan.ts";
import { ensureImage } from "../../components/images/ensure.ts";
import { gitSettings, gitPrograms } from "../../components/agent/git-settings.ts";
import { renderGitConfig } from "../../components/agent/provision-spec.ts";
import { renderComposeFile } from "../../components/compose/compose-file.ts";
import { GATE_NAME, GATE_CONFIG, renderGateConfig } from "../../components/git-gate/config.ts";
import { gitGateService, MIRRORS } from "../../components/git-gate/service.ts";
import { fillSecretFolder } from "../../components/files/secret-folder.ts";
import { ownedFile, ownedFolder } from "../../components/files/owned-files.ts";
import { identify } from "../../components/identity.ts";
import { lookAtGitFiles } from "../../components/machine/git-files.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { readManifest } from "../../components/manifest/manifest.ts";
import { stateFolder } from "../../components/state-folder.ts";
import { networkSubnets } from "../../components/subnets.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { labelled, removeLabelled } from "./cleanup.ts";
import { execIn, ownSubnet } from "./e2e-engine.ts";
import { gitServer, type GitServer } from "./git-upstream.ts";
import { ok, run, uniqueName } from "./run.ts";

export const SERVER = "git.bottle.test";
const user = { uid: 1000, gid: 1000 };

export interface GitGateRig {
  readonly server: GitServer;
  /** Folder of this machine that goes with the rig. */
  readonly folder: string;
  /** Name of git-gate's container. */
  readonly gate: string;
  /** Network of git-gate and the server. */
  readonly egressNetwork: string;
  /** Puts another `bottle:git` in force, as `up` does, and gives the agent its settings. @returns what git-gate said of it */
  configure(git: object): Promise<{ code: number; output: string }>;
  /** Asks git-gate to contact its upstreams. */
  check(): Promise<{ id: string; ok: boolean; kind: string | null; message: string | null }[]>;
  /** Runs sh in the agent; standard error comes with the output, as on its terminal. Never throws. */
  agent(script: string, timeout?: number): Promise<{ code: number; output: string }>;
  /** The same, and throws where it fails. */
  work(script: string, timeout?: number): Promise<string>;
  /** Lines of pushes.jsonl. */
  evidence(): Record<string, unknown>[];
  logs(): Promise<string>;
  close(): Promise<void>;
}

/** Builds the images where they are not there yet; tests and bottles share them. */
async function images(): Promise<{ gate: string; agent: string }> {
  const plan = { manifest: readManifest({}), project: projectRoot, trust: trustFiles(undefined, projectRoot).paths } as Parameters<typeof agentImage>[0];
  const [gate, agent] = [gitGateImage(plan, user), agentImage(plan)];
  await ensureImage(gate);
  await ensureImage(agent);
  return { gate: gate.image, agent: agent.image };
}

/** @param git `bottle:git`, given the server and the folder that it may name files in */
export async function gitGateRig(git: (server: GitServer, folder: string) => object): Promise<GitGateRig> {
  const image = await images();
  const name = uniqueName("git-gate");
  const project = mkdtempSync(join(tmpdir(), `${name}-`));
  const identity = identify(`file://${project}`, "organization", "bottle", name);
  const networks = { internal: `${name}-internal`, egress: `${name}-egress` };
  const folder = stateFolder(project, identity.slug);
  const { prefix, base } = ownSubnet();
  const subnets = networkSubnets(`${prefix}.${base}/26`);
  const close = async () => {
    await server?.remove();
    await removeLabelled(identity.instance, "bottle.instance");
    await removeLabelled(name);
    rmSync(project, { recursive: true, force: true });
  };
  let server: GitServer | undefined;
  try {
    for (const role of ["internal", "egress"] as const) {
      const closed = role === "internal" ? ["--internal", "--opt", "com.docker.network.bridge.gateway_mode_ipv4=isolated"] : [];
      await ok("docker", ["network", "create", ...labelled(name), "--subnet", subnets[role].cidr, "--gateway", subnets[role].gateway, ...closed, networks[role]]);
    }
    server = await gitServer(networks.egress, SERVER);
    copyFileSync(server.key, join(project, "key"));
    const secrets = join(project, "secrets");
    const trust = [...trustFiles(undefined, projectRoot).paths.map((path) => readFileSync(path, "utf8")), ...rootCertificates, server.ca].join("\n");
    for (const path of [folder.gitGate.trust, folder.gitGate.evidence, folder.gitGate.config]) {
      mkdirSync(path, { recursive: true });
      ownedFolder(path, user);
    }
    ownedFile(join(folder.gitGate.trust, "upstream.pem"), trust, user);

    const rendered = (config: object) => {
      const manifest = readManifest({ git: config, agent: { claude: { login: "none" } } });
      const files = lookAtGitFiles(manifest.git, manifest.gitSecrets, project, secrets, { ...process.env, GIT_TOKEN: server!.token });
      if (files.faults.length > 0) throw new Error(files.faults.join("\n"));
      const values = new Map(Object.entries(files.keyFiles).map(([id, path]) => [id, readFileSync(path, "utf8")]));
      for (const { token } of manifest.git.upstreams) if (token) values.set(token.id, token.source === "variable" ? server!.token : manifest.gitSecrets.get(token.id)!);
      fillSecretFolder(secrets, user, values, files.revision);
      ownedFile(join(folder.gitGate.config, GATE_CONFIG), renderGateConfig(manifest.git, files), user);
      return { manifest, files };
    };
    const provision = async ({ manifest, files }: ReturnType<typeof rendered>) => {
      const settings = renderGitConfig({ ...gitSettings(manifest.git, identity, files.signingKey, false), "safe.directory": "*" });
      await ok("docker", ["exec", "-i", agent, "sh", "-c", "mkdir -p ~/.config/bottle && cat > ~/.gitconfig"], { input: settings });
      for (const { path, content } of gitPrograms(manifest.git, false)) await ok("docker", ["exec", "-i", agent, "sh", "-c", `cat > ~/${path} && chmod +x ~/${path}`], { input: content });
    };

    const agent = `${name}-agent`;
    const first = rendered(git(server, project));
    const service = gitGateService({ image: image.gate, user: "1000:1000", cpus: 2, git: first.manifest.git, folder, subnets, secrets, tokenVariables: [] });
    const compose = join(project, "docker-compose.yml");
    writeFileSync(compose, renderComposeFile({ identity, services: [service], networks, volumes: { [MIRRORS]: { name: `${name}-${MIRRORS}` } } }));
    const up = await run("docker", ["compose", "--project-name", name, "--file", compose, "up", "--detach", "--wait"]);
    const gate = `${name}-${GATE_NAME}-1`;
    if (up.code !== 0) throw new Error(`${up.stderr}\n${(await run("docker", ["logs", gate])).stdout}`);
    await ok("docker", [
      ...["run", "--detach", "--init", "--name", agent, ...labelled(name), "--network", networks.internal, "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"],
      ...["--add-host", `${GATE_NAME}:${subnets.internal.addresses[GATE_NAME]!}`, "--tmpfs", "/work:uid=1000,gid=1000,exec,size=4g", "--workdir", "/work", image.agent, "sleep", "infinity"],
    ]);
    await provision(first);
    const inAgent = async (script: string, timeout = 120_000) => {
      const { code, stdout } = await execIn(agent, `{ ${script}\n} 2>&1`, { timeout });
      return { code, output: stdout };
    };
    return {
      server,
      folder: project,
      gate,
      egressNetwork: networks.egress,
      agent: inAgent,
      async work(script, timeout) {
        const { code, output } = await inAgent(`set -e; ${script}`, timeout);
        if (code !== 0) throw new Error(`in the agent: ${script}: exit code ${code}\n${output}`);
        return output;
      },
      async configure(config) {
        const next = rendered(config);
        const { code, stdout, stderr } = await run("docker", ["exec", gate, "git-gate", "apply"], { timeout: 60_000 });
        await provision(next);
        return { code, output: stdout + stderr };
      },
      async check() {
        return JSON.parse(await ok("docker", ["exec", gate, "git-gate", "check"], { timeout: 60_000 })) as Awaited<ReturnType<GitGateRig["check"]>>;
      },
      evidence: () => readFileSync(join(folder.gitGate.evidence, "pushes.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>),
      async logs() {
        const { stdout, stderr } = await run("docker", ["logs", gate]);
        return stdout + stderr;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
