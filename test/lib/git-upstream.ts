// A real git server on a network of the engine: sshd with a key, https with a login.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { contextHash } from "../../components/images/context-hash.ts";
import { ensureImage } from "../../components/images/ensure.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { BASE_IMAGE } from "../../components/manifest/schema.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { makeCertificates } from "./certificates.ts";
import { labelled, removeLabelled } from "./cleanup.ts";
import { execIn } from "./e2e-engine.ts";
import { ok, run, uniqueName, until } from "./run.ts";

export interface GitServer {
  readonly container: string;
  readonly name: string;
  /** PEM of the authority that its certificate is from. */
  readonly ca: string;
  /** Paths of the private key that may log in by ssh, and of one that may not. */
  readonly key: string;
  readonly strangerKey: string;
  /** Its host key: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
  /** Password of the https user `x-access-token`. */
  readonly token: string;
  /** Makes a bare repository under /srv/git with one commit on main. @param path such as `org/app.git` */
  repository(path: string): Promise<void>;
  /** Runs sh as the user git in /srv/git. @throws Error with its output where it fails */
  sh(script: string, timeout?: number): Promise<string>;
  /** Takes it off its network, and puts it back: an upstream that is down. */
  away(): Promise<void>;
  back(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Starts a git server. ssh answers on 22 and 2222, https on 443: `/org` wants the login, `/public` is everybody's,
 * `/moved` redirects there.
 *
 * @param network name of the Docker network
 * @param name host name by which others on that network find it
 */
export async function gitServer(network: string, name: string): Promise<GitServer> {
  const owner = uniqueName("git-upstream");
  const folder = mkdtempSync(join(tmpdir(), `${owner}-`));
  const token = `e2e-${randomBytes(12).toString("hex")}`;
  const certificates = await makeCertificates([name]);
  for (const file of ["key", "stranger"]) await ok("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", join(folder, file)]);
  writeFileSync(join(folder, "server.pem"), certificates.certificate);
  writeFileSync(join(folder, "server.key"), certificates.key);
  writeFileSync(join(folder, "users"), `x-access-token:${token}\n`);
  await ok("cp", [join(folder, "key.pub"), join(folder, "authorized_keys")]);
  await ok("chmod", ["-R", "a+rX", folder]);
  const files = ["authorized_keys", "server.pem", "server.key", "users"].flatMap((file) => ["--volume", `${join(folder, file)}:/etc/git-upstream/${file}:ro`]);
  const remove = async () => {
    await removeLabelled(owner);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const image = await upstreamImage();
    const gateway = await ok("docker", ["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network]);
    // Past the places that bottle gives to its own services.
    const address = gateway.replace(/\d+$/, (last) => String(Number(last) + 8));
    await ok("docker", ["run", "--detach", "--init", "--name", owner, ...labelled(owner), "--network", network, "--ip", address, "--network-alias", name, ...files, image]);
    const sh = async (script: string, timeout?: number) => {
      const { code, stdout, stderr } = await execIn(owner, script, { user: "git", workdir: "/srv/git", timeout });
      if (code !== 0) throw new Error(`git server: ${script}: exit code ${code}\n${stdout}${stderr}`);
      return stdout.trim();
    };
    await until("the git server listens", async () => (await run("docker", ["exec", owner, "bash", "-c", ": </dev/tcp/127.0.0.1/22 && : </dev/tcp/127.0.0.1/443"])).code === 0, 20_000);
    const hostKey = (await ok("docker", ["exec", owner, "cut", "-d", " ", "-f", "1,2", "/etc/ssh/ssh_host_ed25519_key.pub"])).trim();
    return {
      ...{ container: owner, name, ca: certificates.ca, key: join(folder, "key"), strangerKey: join(folder, "stranger"), hostKey, token, sh, remove },
      async repository(path) {
        const commit = "git -c user.name=up -c user.email=up@bottle.invalid commit -q --allow-empty";
        await sh(`set -e; git init -q --bare ${path}; t=$(mktemp -d); git clone -q ${path} $t/w 2>/dev/null; cd $t/w; echo hello > README; git add README; ${commit} -m first; git push -q origin main; rm -rf $t`);
      },
      away: async () => void (await ok("docker", ["network", "disconnect", network, owner])),
      back: async () => void (await ok("docker", ["network", "connect", "--alias", name, "--ip", address, network, owner])),
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Built once and kept, like the images of bottle itself. */
async function upstreamImage(): Promise<string> {
  const context = join(projectRoot, "test/lib/git-upstream");
  const args = { BASE: BASE_IMAGE };
  const image = `bottle-test-git-upstream:${contextHash(context, args)}`;
  await ensureImage({ image, build: { context, args, labels: { "bottle.project": "bottle", "bottle.test": "1" }, trust: trustFiles(undefined, projectRoot).paths } });
  return image;
}
