// egress's real image on the real engine, between a test's own client and a proxy in pipelock's place.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { egressImage } from "../../components/images/plan.ts";
import { ensureImage } from "../../components/images/ensure.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { BASE_IMAGE } from "../../components/manifest/schema.ts";
import type { EgressStatus } from "../../components/egress/control.ts";
import { labelled } from "./cleanup.ts";
import { ok, run, uniqueName, until } from "./run.ts";

export interface EgressRig {
  readonly name: string;
  readonly image: string;
  /** Address of the container; egress listens on its port 8080. */
  readonly address: string;
  /** PEM of the authority that egress shows to the agent. */
  readonly ca: string;
  /** Puts files in place by rename, as the bottle does. */
  writeRules(yaml: string): void;
  writeToken(id: string, value: string | undefined): void;
  /** SIGHUP, then the status that follows it. */
  reload(): Promise<EgressStatus>;
  status(): Promise<EgressStatus>;
  /** Its log so far, line by line. */
  logs(): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export interface EgressRigOptions {
  readonly rules: string;
  readonly tokens?: Readonly<Record<string, string>>;
  /** PEM of what egress trusts upstream. */
  readonly trust: string;
  /** Port on this machine of the proxy in pipelock's place, or an address of its own. */
  readonly upstream: number | { readonly address: string; readonly port: number };
  readonly user?: number;
  /** Whether to wait until it is healthy (default), or until it has exited. */
  readonly expect?: "healthy" | "exit";
}

/** Builds the image where it is not there yet; tests and bottles share it. */
export async function builtEgressImage(): Promise<string> {
  const manifest = { images: { base: BASE_IMAGE } } as Parameters<typeof egressImage>[0]["manifest"];
  const request = egressImage({ manifest, trust: trustFiles(undefined, ".").paths } as Parameters<typeof egressImage>[0]);
  await ensureImage(request);
  return request.image;
}

/** Starts egress as a bottle does: read-only, no capabilities, not root. */
export async function startEgress(options: EgressRigOptions): Promise<EgressRig> {
  const image = await builtEgressImage();
  const user = options.user ?? 1000;
  const name = uniqueName("egress");
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const own = (path: string, mode: number): void => {
    chownSync(path, user, user);
    chmodSync(path, mode);
  };
  chmodSync(folder, 0o755);
  for (const part of ["rules", "ca", "trust", "tokens"]) {
    mkdirSync(join(folder, part));
    own(join(folder, part), 0o700);
  }
  const put = (path: string, text: string): void => {
    const next = join(folder, `${path}.next`);
    writeFileSync(next, text, { mode: 0o600 });
    own(next, 0o600);
    renameSync(next, join(folder, path));
  };
  const ca = await egressAuthority(folder);
  put("ca/mitmproxy-ca.pem", ca.both);
  put("rules/rules.yaml", options.rules);
  put("trust/upstream.pem", options.trust);
  for (const [id, value] of Object.entries(options.tokens ?? {})) put(`tokens/${id}`, `${value}\n`);
  put("tokens/.revision", "first");
  const { address, port } = typeof options.upstream === "number" ? { address: "host-gateway", port: options.upstream } : options.upstream;
  await ok("docker", [
    ...["run", "--detach", "--name", name, ...labelled(name), "--init", "--read-only", "--cap-drop", "ALL"],
    ...["--security-opt", "no-new-privileges:true", "--user", `${user}:${user}`, "--pids-limit", "256", "--memory", "512m"],
    ...["--tmpfs", "/tmp:size=64m,mode=1777", "--tmpfs", "/run/egress:size=1m,mode=1777"],
    ...["--add-host", `pipelock:${address}`, "--env", `UPSTREAM_PROXY=http://pipelock:${port}`],
    ...["rules", "ca", "trust"].flatMap((part) => ["--volume", `${join(folder, part)}:/etc/bottle/${part}:ro`]),
    ...["--volume", `${join(folder, "tokens")}:/run/tokens:ro`, image],
  ]);
  const state = (what: string) => ok("docker", ["inspect", "--format", what, name]);
  const status = async () => JSON.parse(await ok("docker", ["exec", name, "cat", "/run/egress/status.json"])) as EgressStatus;
  const close = async (): Promise<void> => {
    await run("docker", ["rm", "--force", name]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    if (options.expect === "exit") await until("egress exits", async () => (await state("{{.State.Status}}")) === "exited");
    else await until("egress is healthy", async () => (await state("{{.State.Health.Status}}")) === "healthy", 15_000);
  } catch (error) {
    const { stdout, stderr } = await run("docker", ["logs", name]);
    await close();
    throw new Error(`${(error as Error).message}\n${stdout}${stderr}`);
  }
  return {
    name,
    image,
    address: await state("{{.NetworkSettings.IPAddress}}"),
    ca: ca.certificate,
    writeRules: (yaml) => put("rules/rules.yaml", yaml),
    writeToken: (id, value) => (value === undefined ? rmSync(join(folder, "tokens", id)) : put(`tokens/${id}`, value)),
    status,
    async reload() {
      const before = (await status()).loaded_at;
      await ok("docker", ["kill", "--signal", "HUP", name]);
      await until("the status is written anew", async () => (await status()).loaded_at !== before, 5_000);
      return status();
    },
    async logs() {
      const { stdout, stderr } = await run("docker", ["logs", name]);
      return `${stdout}${stderr}`.split("\n").filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    close,
  };
}

async function egressAuthority(folder: string): Promise<{ certificate: string; both: string }> {
  const openssl = (...args: string[]) => ok("openssl", args, { cwd: folder });
  await openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key");
  await openssl("req", "-x509", "-new", "-key", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=egress of a test", "-addext", "keyUsage=critical,keyCertSign,cRLSign");
  const read = (file: string) => readFileSync(join(folder, file), "utf8");
  const result = { certificate: read("ca.crt"), both: read("ca.key") + read("ca.crt") };
  for (const file of ["ca.key", "ca.crt"]) rmSync(join(folder, file));
  return result;
}
