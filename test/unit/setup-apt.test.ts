import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parsePolicy, parseSimulation } from "../../scripts/setup/apt.ts";
import { mirrorOf, parseDeb822, parseOneLine, readAptSources, renderDeb822, securityMirrorOf } from "../../scripts/setup/apt-sources.ts";
import { imageSources } from "../../scripts/setup/base-image.ts";

const folder = mkdtempSync(join(tmpdir(), "bt-apt-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const deb822 = `Types: deb deb-src
# a comment inside a stanza
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: sid
Components: main
`;

describe("apt's sources", () => {
  test("deb822: enabled binary archives, with keyrings and inline keys", () => {
    expect(parseDeb822(deb822)).toEqual([
      {
        uri: "http://mirror.example/debian",
        suites: ["bookworm", "bookworm-updates"],
        components: ["main", "contrib"],
        signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
      },
      {
        uri: "http://mirror.example/security",
        suites: ["bookworm-security"],
        components: ["main"],
        signedBy: "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc",
      },
    ]);
  });

  test("an inline key survives being rendered and read again", () => {
    const source = parseDeb822(deb822)[1]!;
    expect(parseDeb822(renderDeb822(source))).toEqual([source]);
  });

  test("one-line style: options, comments, sources", () => {
    const text = `# deb http://no.example/debian sid main
deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian bookworm main non-free # why
deb-src http://mirror.example/debian bookworm main
deb http://security.example bookworm/updates main
`;
    expect(parseOneLine(text)).toEqual([
      { uri: "https://mirror.example/debian", suites: ["bookworm"], components: ["main", "non-free"], signedBy: "/k.gpg" },
      { uri: "http://security.example", suites: ["bookworm/updates"], components: ["main"] },
    ]);
  });

  test("the machine's files are read in apt's order, and others are not", () => {
    const parts = join(folder, "sources.list.d");
    mkdirSync(parts);
    writeFileSync(join(folder, "sources.list"), "deb http://first.example/debian bookworm main\n");
    writeFileSync(join(parts, "debian.sources"), deb822);
    writeFileSync(join(parts, "debian.sources.disabled"), "Types: deb\nURIs: http://no.example\nSuites: bookworm\nComponents: main\n");
    const sources = readAptSources(folder);
    expect(sources.map(({ uri }) => uri)).toEqual(["http://first.example/debian", "http://mirror.example/debian", "http://mirror.example/security"]);
    expect(mirrorOf("bookworm", sources)?.uri).toBe("http://first.example/debian");
    expect(securityMirrorOf("bookworm", sources)?.uri).toBe("http://mirror.example/security");
    expect(mirrorOf("trixie", sources)).toBeUndefined();
    expect(readAptSources(join(folder, "nothing"))).toEqual([]);
  });

  test("the base image is given the machine's mirrors with trixie's suites", () => {
    const [mirror, security] = parseDeb822(deb822);
    expect(imageSources(mirror!, security).map(renderDeb822).join("\n")).toBe(`Types: deb
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`);
    expect(imageSources(mirror!, undefined)).toHaveLength(1);
    expect(imageSources({ ...mirror!, uri: "https://me:secret@mirror.example/debian" }, undefined)[0]!.uri).toBe("https://mirror.example/debian");
  });
});

describe("apt's answers", () => {
  test("candidates; a package that has none is left out", () => {
    const text = `docker.io:
  Installed: (none)
  Candidate: 28.5.2+dfsg4-1
  Version table:
     28.5.2+dfsg4-1 500
docker-ce:
  Installed: (none)
  Candidate: (none)
  Version table:
`;
    expect([...parsePolicy(text)]).toEqual([["docker.io", "28.5.2+dfsg4-1"]]);
  });

  test("a simulation: what is new, and what is replaced or removed", () => {
    const text = `Remv apparmor [3.0.8-3]
Inst runc (1.1.5+ds1-1+deb12u1 Debian:12.15/oldstable [amd64])
Inst libc6 [2.36-9] (2.42-1 Debian:unstable [amd64]) []
Conf runc (1.1.5+ds1-1+deb12u1 Debian:12.15/oldstable [amd64])
`;
    expect(parseSimulation(text)).toEqual({ installs: ["runc"], touches: ["apparmor", "libc6"] });
  });
});
