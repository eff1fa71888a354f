import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { purl } from "../../scripts/sbom/component.ts";
import { readComponents } from "../../scripts/sbom/components.ts";
import { cycloneDx } from "../../scripts/sbom/cyclonedx.ts";
import { parseCopyright, parseStatus } from "../../scripts/sbom/debian.ts";
import { goModules, parseGoModules } from "../../scripts/sbom/executables.ts";
import { walk } from "../../scripts/sbom/filesystem.ts";
import { parseMetadata, parsePackage } from "../../scripts/sbom/languages.ts";
import { keepLicences } from "../../scripts/setup/base-image.ts";
import { temporaryFolder } from "./fixtures.ts";

const status = `Package: apt
Status: install ok installed
Architecture: amd64
Version: 3.0.4

Package: gone
Status: deinstall ok config-files
Version: 1

Package: libgcc-s1
Status: install ok installed
Architecture: amd64
Source: gcc-14 (14.2.0-19)
Version: 14.2.0-19+b1
`;

const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
License: GPL-2+

Files: x
License: MIT

License: GPL-2+
 The text.
`;

/** A program as Go leaves it: magic, flags, then two texts with their lengths. */
function goProgram(version: string, modules: string): Buffer {
  const sentinel = "0123456789abcdef";
  const text = (content: string) => {
    const bytes = Buffer.from(content);
    return Buffer.concat([Buffer.from([(bytes.length & 0x7f) | 0x80, bytes.length >> 7]), bytes]);
  };
  const header = Buffer.alloc(32);
  header.write("\xff Go buildinf:", "latin1");
  header[14] = 8;
  header[15] = 2;
  // The magic alone, as a program that looks for it has it, comes first.
  return Buffer.concat([Buffer.from("\x7fELF" + "x".repeat(12) + "\xff Go buildinf:xx", "latin1"), header, text(version), text(sentinel + modules + sentinel)]);
}

const modules = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\tgopkg.in/yaml.v3\tv3.0.1\th1:x=\ndep\texample.com/a/b\tv1.0.0\n=>\texample.com/fork/b\tv1.0.1\th1:y=\nbuild\t-trimpath=true\n";

describe("what packages say of themselves", () => {
  it("Debian: what is installed, with its source package", () => {
    expect(parseStatus(status)).toEqual([
      { name: "apt", version: "3.0.4", architecture: "amd64", source: undefined },
      { name: "libgcc-s1", version: "14.2.0-19+b1", architecture: "amd64", source: "gcc-14" },
    ]);
  });

  it("Debian: licences of machine-readable files alone", () => {
    expect(parseCopyright(copyright)).toEqual(["GPL-2+", "MIT"]);
    expect(parseCopyright("This is free software.\nLicense: see below")).toEqual([]);
  });

  it.each<[string, string, string[]]>([
    ["an expression", "License-Expression: MIT OR Apache-2.0\n", ["MIT OR Apache-2.0"]],
    ["a short text", "License: BSD\n", ["BSD"]],
    ["classifiers, where the text is long", `License: ${"Permission is hereby granted ".repeat(9)}\nClassifier: License :: OSI Approved :: MIT License\n`, ["MIT License"]],
    ["classifiers, where the text has several lines", "License: Copyright (c) 2013\n        Permission is granted\nClassifier: License :: OSI Approved :: MIT License\n", ["MIT License"]],
    ["nothing", "", []],
  ])("Python: %s", (_, line, licenses) => {
    expect(parseMetadata(`Metadata-Version: 2.4\nName: Ruamel.YAML\nVersion: 0.19\n${line}\nName: not this\n`)).toEqual({ type: "library", name: "Ruamel.YAML", version: "0.19", purl: "pkg:pypi/ruamel-yaml@0.19", licenses });
  });

  it("Node: with scope, and the old ways to name a licence", () => {
    expect(parsePackage('{"name":"@a/b","version":"1.0.0","license":"MIT"}')).toEqual({ type: "library", name: "@a/b", version: "1.0.0", purl: "pkg:npm/%40a/b@1.0.0", licenses: ["MIT"] });
    expect(parsePackage('{"name":"b","version":"1.0.0","licenses":[{"type":"ISC"}]}')?.licenses).toEqual(["ISC"]);
    expect(parsePackage('{"type":"module"}')).toBeUndefined();
    expect(parsePackage("{")).toBeUndefined();
  });

  it("Go: the program, its modules with their replacements, Go itself", () => {
    expect(goModules(goProgram("go1.24.4 X:x", modules)).map((component) => component.purl)).toEqual([
      "pkg:golang/example.com/app",
      "pkg:golang/gopkg.in/yaml.v3@v3.0.1",
      "pkg:golang/example.com/fork/b@v1.0.1",
      "pkg:golang/stdlib@1.24.4",
    ]);
    expect(goModules(Buffer.from("\x7fELF no Go", "latin1"))).toEqual([]);
    expect(parseGoModules("")).toEqual([]);
  });

  it("package URLs: escaped, qualifiers in order", () => {
    expect(purl("deb", "debian", "g++", "1:2~3+b1", { upstream: "gcc", arch: "amd64", distro: undefined })).toBe("pkg:deb/debian/g%2B%2B@1:2~3%2Bb1?arch=amd64&upstream=gcc");
  });
});

/** A small image, unpacked. */
function image(): string {
  const root = temporaryFolder();
  const write = (path: string, content: string | Buffer) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  write("etc/os-release", 'ID=debian\nVERSION_ID="13"\n');
  write("etc/debian_version", "13.2\n");
  write("var/lib/dpkg/status", status);
  write("var/lib/dpkg/info/apt.list", "/.\n/bin/apt\n");
  write("usr/share/doc/apt/copyright", copyright);
  write("usr/bin/apt", "\x7fELF of a package");
  write("usr/local/bin/node", "\x7fELF node-v24.19.0-headers.tar.gz");
  write("usr/local/bin/unknown", "\x7fELF");
  write("usr/local/bin/script", "#!/bin/sh\n");
  write("opt/app", goProgram("go1.24.4", modules));
  write("opt/lib/python3.13/site-packages/a.dist-info/METADATA", "Name: a\nVersion: 1\n\n");
  write("opt/lib/python3.13/site-packages/a/native.so", "\x7fELF of a package");
  write("usr/lib/node_modules/npm/package.json", '{"name":"npm","version":"11.0.0"}');
  write("usr/lib/node_modules/npm/test/package.json", '{"name":"no","version":"1"}');
  symlinkSync("/etc", join(root, "usr/outside"));
  return root;
}

describe("an image's components", () => {
  it("are all that its packages and programs are, each once, and nothing outside of it", () => {
    const root = image();
    const found = readComponents({ root, paths: walk(root) });
    expect(found.map(({ purl, name }) => purl ?? name)).toEqual([
      "debian",
      "pkg:deb/debian/apt@3.0.4?arch=amd64&distro=debian-13.2",
      "pkg:deb/debian/libgcc-s1@14.2.0-19%2Bb1?arch=amd64&distro=debian-13.2&upstream=gcc-14",
      "pkg:pypi/a@1",
      "pkg:npm/npm@11.0.0",
      "pkg:golang/example.com/app",
      "pkg:golang/gopkg.in/yaml.v3@v3.0.1",
      "pkg:golang/example.com/fork/b@v1.0.1",
      "pkg:golang/stdlib@1.24.4",
      "pkg:generic/node@24.19.0",
      "/usr/local/bin/unknown",
    ]);
    expect(found[1]!.licenses).toEqual(["GPL-2+", "MIT"]);
    expect(found.at(-1)!.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it("make a CycloneDX document that is the same for the same image", () => {
    const subject = { image: "registry.example.com:5000/bottle-egress:465f", id: `sha256:${"a".repeat(64)}`, created: "2026-11-25T00:00:00Z" };
    const component = { type: "library", name: "a", version: "1", purl: "pkg:pypi/a@1", licenses: ["MIT", "MIT"] } as const;
    const tool = { name: "pulumi-bottle", version: "0.1.0" };
    const document = cycloneDx(subject, [component, component, { type: "file", name: "/x", sha256: "b".repeat(64), licenses: [] }], tool);
    expect(cycloneDx(subject, [{ type: "file", name: "/x", sha256: "b".repeat(64), licenses: [] }, component], tool)).toEqual(document);
    expect(document).toMatchObject({
      bomFormat: "CycloneDX",
      specVersion: "1.6",
      serialNumber: expect.stringMatching(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      metadata: { component: { type: "container", name: "registry.example.com:5000/bottle-egress", version: "465f" } },
      components: [
        { "bom-ref": "/x@", type: "file", name: "/x", hashes: [{ alg: "SHA-256", content: "b".repeat(64) }] },
        { "bom-ref": "pkg:pypi/a@1", type: "library", name: "a", version: "1", licenses: [{ license: { name: "MIT" } }], purl: "pkg:pypi/a@1" },
      ],
    });
  });
});

it("the base image keeps its packages' licences, and no other documentation", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "apt/examples"), { recursive: true });
  for (const file of ["apt/copyright", "apt/changelog.gz", "apt/examples/a", "README"]) writeFileSync(join(folder, file), "");
  symlinkSync("apt", join(folder, "libapt"));
  keepLicences(folder);
  expect(walk(folder)).toEqual(["apt/copyright"]);
  expect(existsSync(join(folder, "libapt/copyright"))).toBe(true);
});
