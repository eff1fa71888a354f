// What is in images, read from the engine's own store.
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { identify } from "../../components/identity.ts";
import { ensureImage } from "../../components/images/ensure.ts";
import { superviseImage } from "../../components/images/plan.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { readManifest } from "../../components/manifest/manifest.ts";
import { BASE_IMAGE, PIPELOCK_IMAGE } from "../../components/manifest/schema.ts";
import { readComponents } from "../../scripts/sbom/components.ts";
import { withFiles } from "../../scripts/sbom/filesystem.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";

const scratch = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("bottle-sbom-"));

describeWith(["engine", "base", "pipelock"], "an image's components", () => {
  test("are dpkg's, as dpkg itself lists them", async () => {
    const found = await withFiles(BASE_IMAGE, readComponents);
    const listed = await ok("docker", ["run", "--rm", "--network", "none", BASE_IMAGE, "dpkg-query", "--show", "--showformat", "${binary:Package}=${Version}\n"]);
    const packages = found.filter(({ purl }) => purl?.startsWith("pkg:deb/")).map(({ name, version }) => `${name}=${version}`);
    expect(packages.sort()).toEqual(listed.split("\n").map((line) => line.replace(/:\w+=/, "=")).sort());
    expect(found.filter(({ type }) => type === "file")).toEqual([]);
  });

  test("are Go's modules in an image without a shell", async () => {
    const found = await withFiles(PIPELOCK_IMAGE, readComponents);
    expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(["github.com/luckyPipewrench/pipelock", "stdlib"]));
  });

  test("are the packages that supervise's one file is bundled from, as its lock file has them", async () => {
    const request = superviseImage({ manifest: readManifest({}), identity: identify("file:///sbom", "organization", "bottle", "sbom"), project: projectRoot, trust: trustFiles(undefined, projectRoot).paths });
    await ensureImage(request);
    const { packages } = JSON.parse(readFileSync(new URL("../../components/supervise/image/package-lock.json", import.meta.url), "utf8")) as { packages: Record<string, { version: string; dev?: boolean }> };
    const locked = Object.entries(packages).filter(([, { dev }]) => !dev).map(([path, { version }]) => `${path.replace(/^.*node_modules\//, "")}@${version}`);
    const found = (await withFiles(request.image, readComponents)).filter(({ purl }) => purl?.startsWith("pkg:npm/")).map(({ name, version }) => `${name}@${version}`);
    expect(found.map((each) => each.replace(/@[^@]*$/, ""))).toEqual(expect.arrayContaining(["@modelcontextprotocol/sdk", "tldts", "yaml", "zod"]));
    expect(locked).toEqual(expect.arrayContaining(found));
  }, 600_000);

  test("leave neither container nor files behind, also where an image is not there", async () => {
    const before = scratch();
    await expect(withFiles("bottle-no-such-image:0", readComponents)).rejects.toThrow(/bottle-no-such-image:0/);
    expect(scratch()).toEqual(before);
  });
});
