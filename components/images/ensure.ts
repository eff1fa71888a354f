// Run by a Command: makes sure that an image is in the engine's store. stdin: JSON, an ImageRequest.
// What is there already costs one look; else it is pulled or built, with its progress on stderr.
import { mkdtempSync, rmSync, writeFileSync, existsSync, readFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { input, main } from "../files/script-io.ts";
import { run } from "../machine/run.ts";
import { shown } from "./progress.ts";

/** How an image comes to be. */
export interface ImageRequest {
  /** Reference under which containers use it. */
  readonly image: string;
  /** undefined: pulled. */
  readonly build?: {
    readonly context: string;
    readonly dockerfile?: string;
    readonly target?: string;
    readonly args: Readonly<Record<string, string>>;
    readonly labels: Readonly<Record<string, string>>;
    /** Further folders that the build reads from, by the name its Dockerfile gives them. */
    readonly contexts?: Readonly<Record<string, string>>;
    /** PEM files of CAs that the build's downloads meet. */
    readonly trust: readonly string[];
  };
}

if (process.argv[1] === import.meta.filename) {
  await main(async () => {
    await ensureImage(JSON.parse(input()) as ImageRequest);
  });
}

/** @throws Error with the last lines of the build, or the pull's own message. */
export async function ensureImage(request: ImageRequest): Promise<void> {
  const { image, build } = request;
  if ((await run("docker", ["image", "inspect", "--format", "{{.Id}}", image])).code === 0) return;
  if (build === undefined) {
    const pulled = await run("docker", ["pull", image], { onOutput: shown(image) });
    if (pulled.code !== 0) {
      throw new Error(`image ${image}: is not in the engine's store and cannot be pulled: ${pulled.stderr.trim().split("\n").at(-1)}; load it with docker load, or name another under bottle:images`);
    }
    return;
  }
  const trust = mkdtempSync(join(tmpdir(), "bottle-trust-"));
  try {
    build.trust.forEach((path, index) => writeFileSync(join(trust, `${index}.crt`), readFileSync(path)));
    const args = [
      ...["buildx", "build", "--load", "--network", "host", "--progress", "plain", "--provenance=false", "--tag", image],
      ...["--build-context", `trust=${trust}`],
      ...Object.entries(build.contexts ?? {}).flatMap(([name, folder]) => ["--build-context", `${name}=${folder}`]),
      ...(build.dockerfile === undefined ? [] : ["--file", join(build.context, build.dockerfile)]),
      ...(build.target === undefined ? [] : ["--target", build.target]),
      ...Object.entries(build.args).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
      ...Object.entries(build.labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
      ...clientSecrets(),
      build.context,
    ];
    const built = await run("docker", args, { onOutput: shown(image) });
    if (built.code !== 0) throw new Error(buildFailure(image, built.stderr));
  } finally {
    rmSync(trust, { recursive: true, force: true });
  }
}

/** This machine's own client configuration, for company mirrors: seen by build steps, in no layer. */
function clientSecrets(): string[] {
  const candidates: Record<string, (string | undefined)[]> = {
    npmrc: [process.env["NPM_CONFIG_USERCONFIG"], join(homedir(), ".npmrc")],
    pipconf: [process.env["PIP_CONFIG_FILE"], join(homedir(), ".config/pip/pip.conf"), join(homedir(), ".pip/pip.conf"), "/etc/pip.conf"],
  };
  const files = Object.entries(candidates).flatMap(([id, paths]) => {
    const path = paths.find((candidate) => candidate !== undefined && existsSync(candidate));
    return path === undefined ? [] : ["--secret", `id=${id},src=${path}`];
  });
  return [...files, ...(process.env["GOPROXY"] ? ["--secret", "id=goproxy,env=GOPROXY"] : [])];
}

function buildFailure(image: string, stderr: string): string {
  const lines = stderr.trim().split("\n");
  const full = /no space left on device/i.test(stderr) ? "the disk is full; free some room (docker system df shows what Docker holds) and run `pulumi up` again\n" : "";
  return `image ${image}: the build failed\n${full}${lines.slice(-12).map((line) => `    ${line.slice(0, 400)}`).join("\n")}`;
}
