import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BASE_IMAGE } from "../../components/manifest/schema.ts";
import { aptInstall, aptUpdate } from "./apt.ts";
import { type AptSource, mirrorOf, readAptSources, renderDeb822, securityMirrorOf } from "./apt-sources.ts";
import { lastLines, run } from "./exec.ts";
import { type Machine, readMachine, which } from "./machine.ts";
import { pullImage } from "./docker-pull.ts";
import { type Part, type Progress, SetupError } from "./part.ts";

const name = "base image";
/** The release that the base image has. */
const suite = "trixie";

/**
 * The base image: taken as it is if it is there, else pulled, else made from the machine's own Debian mirror
 * (root on Debian), for machines that no container registry is reached from.
 */
export const baseImagePart: Part = {
  name,
  async ensure(progress) {
    if (await present()) return { changed: false, detail: BASE_IMAGE };
    progress(`pulling ${BASE_IMAGE}`);
    const pull = await pullImage(BASE_IMAGE);
    if (pull.ok) return { changed: true, detail: `${BASE_IMAGE}, pulled` };
    const machine = readMachine();
    const mirror = mirrorOf(machine.codename, readAptSources());
    if (!machine.root || machine.id !== "debian" || !mirror) {
      throw new SetupError(name, {
        problem: `${BASE_IMAGE} is not in the engine's store and cannot be pulled: ${pull.reason}`,
        tried: `docker pull ${BASE_IMAGE}`,
        mend: `Load it (\`docker load\`, or pull it from your own registry and \`docker tag\` it as ${BASE_IMAGE}), or name another Debian image under bottle:images in the stack's manifest.`,
      });
    }
    progress(`no registry (${pull.reason}); making ${BASE_IMAGE} from this machine's Debian mirror`);
    await makeImage(mirror, machine, progress);
    return { changed: true, detail: `${BASE_IMAGE}, made by debootstrap` };
  },
};

async function present(): Promise<boolean> {
  return (await run("docker", ["image", "inspect", "--format", "{{.Id}}", BASE_IMAGE], { timeout: 20_000 })).code === 0;
}

async function makeImage(mirror: AptSource, machine: Machine, progress: Progress): Promise<void> {
  if (!which("debootstrap")) {
    await aptUpdate();
    await aptInstall(name, ["debootstrap", "debian-archive-keyring"], progress);
  }
  // Not under /tmp, which may be mounted noexec or nodev; debootstrap refuses such a target.
  const work = mkdtempSync("/var/tmp/bottle-base-");
  try {
    const root = join(work, "root");
    mkdirSync(root);
    chmodSync(root, 0o755);
    const keyring = mirror.signedBy?.startsWith("/") ? [`--keyring=${mirror.signedBy}`] : [];
    const args = ["--variant=minbase", ...keyring, suite, root, mirror.uri];
    progress("debootstrap, about a minute");
    const made = await run("debootstrap", args, { timeout: 900_000, env: { ...process.env, LC_ALL: "C" } });
    if (made.code !== 0) {
      throw new SetupError(name, {
        problem: `debootstrap failed:\n${lastLines(made.stdout + made.stderr, 6)}`,
        tried: `debootstrap ${args.join(" ")}`,
        mend: "Check that apt's mirror has trixie, or load the image with `docker load`, and run this again.",
      });
    }
    slim(root);
    configureApt(root, imageSources(mirror, securityMirrorOf(machine.codename, readAptSources())), await machineAptSettings());
    await importImage(work, root);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * The image's own apt sources: the machine's mirrors, with trixie's suites in place of the machine's release, and
 * without a password in the address: agents run in images made from this one.
 */
export function imageSources(mirror: AptSource, security: AptSource | undefined): AptSource[] {
  const signedBy = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const components = ["main"];
  return [
    { uri: withoutPassword(mirror.uri), suites: [suite, `${suite}-updates`], components, signedBy },
    ...(security ? [{ uri: withoutPassword(security.uri), suites: [`${suite}-security`], components, signedBy }] : []),
  ];
}

function withoutPassword(uri: string): string {
  return uri.replace(/^([a-z+]+:\/\/)[^/@]*@/, "$1");
}

/** Folders of documentation and translations, which a slim image does without, now and in later installs. */
const documentation = "usr/share/doc";
const left = [documentation, "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/groff", "usr/share/lintian"];

/** Takes away a folder of documentation but the packages' licences, which whoever passes an image on must pass on. */
export function keepLicences(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) continue; // to the folder of another package of the same source
    if (!entry.isDirectory()) rmSync(path);
    else for (const file of readdirSync(path)) if (file !== "copyright") rmSync(join(path, file), { recursive: true });
  }
}

function slim(root: string): void {
  keepLicences(join(root, documentation));
  const gone = [...left.filter((each) => each !== documentation), "var/lib/apt/lists", "var/cache/apt", "var/log/bootstrap.log", "var/log/dpkg.log", "var/cache/ldconfig/aux-cache"];
  for (const each of gone) rmSync(join(root, each), { recursive: true, force: true });
  for (const each of [...left, "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"]) mkdirSync(join(root, each), { recursive: true });
  // Made afresh by each container; the machine's own must not be in an image.
  for (const each of ["etc/hostname", "etc/machine-id", "etc/resolv.conf"]) rmSync(join(root, each), { force: true });
  writeFileSync(join(root, "etc/dpkg/dpkg.cfg.d/bottle-slim"), `${left.map((each) => `path-exclude /${each}/*\n`).join("")}path-include /${documentation}/*/copyright\n`);
}

/**
 * The machine's own apt settings that decide whether its mirrors can be used at all: proxies, and whether a mirror that
 * stands still is accepted. Without values that hold a password: an image is no place for them.
 */
async function machineAptSettings(): Promise<string> {
  const names = ["Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date"];
  const { stdout } = await run("apt-config", ["dump", "--format", '%f "%v";%n', ...names]);
  return stdout.split("\n").filter((line) => line && !line.includes("@") && !line.endsWith(' "";')).map((line) => `${line}\n`).join("");
}

function configureApt(root: string, sources: AptSource[], settings: string): void {
  rmSync(join(root, "etc/apt/sources.list"), { force: true });
  writeFileSync(join(root, "etc/apt/sources.list.d/debian.sources"), sources.map(renderDeb822).join("\n"));
  writeFileSync(
    join(root, "etc/apt/apt.conf.d/bottle-slim"),
    `Acquire::Languages "none";\nAcquire::GzipIndexes "true";\nApt::AutoRemove::SuggestsImportant "false";\n${settings}`,
  );
  // Packages must not start services while an image is built.
  writeFileSync(join(root, "usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n", { mode: 0o755 });
}

async function importImage(work: string, root: string): Promise<void> {
  const tar = join(work, "root.tar");
  const changes = [
    'CMD ["bash"]',
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    'LABEL org.opencontainers.image.description="Debian trixie, made by bottle\'s set-up with debootstrap"',
  ];
  const commands: [string, string[]][] = [
    ["tar", ["--numeric-owner", "--exclude=./dev/*", "-C", root, "-cf", tar, "."]],
    ["docker", ["import", ...changes.flatMap((change) => ["--change", change]), tar, BASE_IMAGE]],
  ];
  for (const [command, args] of commands) {
    const { code, stdout, stderr } = await run(command, args, { timeout: 300_000 });
    if (code !== 0) {
      throw new SetupError(name, {
        problem: `the image could not be imported:\n${lastLines(stdout + stderr, 4)}`,
        tried: `${command} ${args.join(" ")}`,
        mend: "Check the engine's free disk space (`docker system df`, `df -h`) and run this again.",
      });
    }
  }
}
