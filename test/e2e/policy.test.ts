// The policy pack under the real Pulumi: an untouched bottle passes, one that breaks a rule stops at preview.
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { projectRoot } from "../../scripts/setup/project.ts";
import { containers } from "../lib/e2e-engine.ts";
import type { PulumiResult } from "../lib/e2e-pulumi.ts";
import { scratchProject, type Manifest, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { describeWith } from "../lib/parts.ts";

const pack = ["--policy-pack", join(projectRoot, "policies")];
const patient = { timeout: 300_000 };

/** Rules by level that an output names, each once. */
function found(output: string, level: "mandatory" | "advisory"): string[] {
  return [...new Set([...output.matchAll(/- \[(\w+)\] \[severity: \w+\]\s+([a-z-]+)\s+\(/g)].flatMap(([, its, rule]) => (its === level ? [rule!] : [])))].sort();
}

describeWith(["engine", "base", "pipelock", "pulumi"], "the policy pack", () => {
  const good: Manifest = { agent: { image: "debian:trixie-slim" }, network: { hosts: ["docs.bottle.test"] } };
  let project: ScratchProject;
  let stack: Stack;

  beforeAll(async () => {
    project = await scratchProject();
    stack = await project.stack("policy", good);
  });
  afterAll(async () => await project?.dispose());

  /** A team's configuration file. */
  function settings(content: object): string[] {
    writeFileSync(project.path("policies.json"), JSON.stringify(content));
    return ["--policy-pack-config", project.path("policies.json")];
  }

  function preview(manifest: Manifest, ...args: readonly string[]): Promise<PulumiResult> {
    stack.write(manifest);
    return stack.pulumiWith(patient, "preview", ...pack, ...args);
  }

  test("passes the example bottle as it is", async () => {
    const { config } = parse(readFileSync(join(projectRoot, "examples/implementer.yaml"), "utf8")) as { config: Record<string, Record<string, unknown>> };
    const example = await project.stack("example", Object.fromEntries(Object.entries(config).map(([key, value]) => [key.replace("bottle:", ""), value])));
    const { code, output, seconds } = await example.pulumiWith(patient, "preview", ...pack);
    expect(code, output).toBe(0);
    expect(found(output, "mandatory")).toEqual([]);
    expect(found(output, "advisory")).toEqual(["images-pinned"]);
    const bare = await example.pulumiWith(patient, "preview");
    console.log(`preview of the example: ${bare.seconds.toFixed(1)} s, with the pack ${seconds.toFixed(1)} s`);
  });

  test("stops an update at its preview: nothing is made", async () => {
    stack.write({ ...good, agent: { ...good.agent, workspace: { mode: "mount", path: "/etc" } } });
    const { code, output } = await stack.pulumiWith(patient, "up", "--yes", ...pack);
    expect(code, output).not.toBe(0);
    expect(found(output, "mandatory")).toEqual(["no-host-mounts"]);
    expect(output).toMatch(/stdin: services\.agent\.volumes\[\d+\]\.source: mounts the host's root/);
    expect(stack.resourceCount()).toBe(0);
    expect(await stack.leftovers()).toEqual([]);
  });

  test("starts no container of a bottle that breaks a rule, also where the preview is skipped", async () => {
    stack.write({ ...good, agent: { ...good.agent, workspace: { mode: "mount", path: "/etc" } } });
    const { code, output } = await stack.pulumiWith(patient, "up", "--yes", "--skip-preview", ...pack);
    expect(code, output).not.toBe(0);
    expect(found(output, "mandatory")).toContain("no-host-mounts");
    expect(await containers(stack.identity.instance)).toEqual({});
    await stack.destroy(patient);
    expect(await stack.leftovers()).toEqual([]);
  });

  const secret = `ghp_${randomBytes(48).toString("base64").replace(/[^A-Za-z0-9]/g, "").slice(0, 36).padEnd(36, "x")}`;
  test.each<[string, Manifest, readonly string[], RegExp]>([
    [
      "an agent that is root on a writable root",
      { ...good, agent: { ...good.agent, user: 0, filesystem: "writable" } },
      ["capabilities-dropped", "non-root", "read-only-root"],
      /stdin: services\.agent\.user: is not the number of an ordinary user/,
    ],
    ["a token in the agent's environment", { ...good, agent: { ...good.agent, env: { FORGE: secret } } }, ["no-literal-secrets", "no-secrets-pipelock-knows"], /bottle:agent\.env\.FORGE: looks like a secret \(GITHUB_TOKEN\)/],
    ["a host that nobody reads", { ...good, network: { hosts: [{ host: "docs.bottle.test", inspect: false }] } }, ["passthrough-listed"], /bottle:network\.hosts\[0\]\.inspect: is false/],
    ["a wildcard over everybody's storage", { ...good, network: { hosts: ["*.amazonaws.com"] } }, ["no-broad-hosts"], /bottle:network\.hosts\[0\]\.host: covers a domain/],
    ["a mount that holds the sidecars' keys", { ...good, agent: { ...good.agent, workspace: { mode: "mount", path: "." } } }, ["private-keys-in-one-service"], /stdin: services\.agent\.volumes\[\d+\]\.source: shows keys or tokens/],
  ])("stops %s", async (_, manifest, rules, message) => {
    const { code, output } = await preview(manifest);
    expect(code, output).not.toBe(0);
    expect(found(output, "mandatory"), output).toEqual(rules);
    expect(output).toMatch(message);
    expect(output).not.toContain(secret);
  });

  test("has its levels and settings from the team's file", async () => {
    const passed = { ...good, network: { hosts: [{ host: "docs.bottle.test", inspect: false }] } };
    const listed = await preview(passed, ...settings({ "passthrough-listed": { allowed: ["*.bottle.test"] } }));
    expect(listed.code, listed.output).toBe(0);
    const advisory = await preview(passed, ...settings({ "passthrough-listed": "advisory" }));
    expect(advisory.code, advisory.output).toBe(0);
    expect(found(advisory.output, "advisory")).toContain("passthrough-listed");
    const pinned = await preview(good, ...settings({ "images-pinned": "mandatory" }));
    expect(pinned.code, pinned.output).not.toBe(0);
    expect(found(pinned.output, "mandatory")).toEqual(["images-pinned"]);
  });

  test("lets a bottle be made, and reads its certificates", async () => {
    stack.write(good);
    const up = await stack.pulumiWith(patient, "up", "--yes", ...pack);
    expect(up.code, up.output).toBe(0);
    expect(found(up.output, "mandatory")).toEqual([]);
    expect(Object.keys(await containers(stack.identity.instance)).sort()).toEqual(["agent", "pipelock"]);

    const short = await preview(good, ...settings({ "authority-requested": "disabled", "authority-certificates": { maxDays: 30 } }));
    expect(short.code, short.output).not.toBe(0);
    expect(found(short.output, "mandatory")).toEqual(["authority-certificates"]);
    expect(short.output).toContain("certPem: is valid for more than 30 days");
    const unchanged = await preview(good, "--expect-no-changes");
    expect(unchanged.code, unchanged.output).toBe(0);
  });

  describe("a hand-written stack", () => {
    const own = readFileSync(join(projectRoot, "index.ts"), "utf8");
    afterAll(() => writeFileSync(project.path("index.ts"), own));

    /** Previews a program that uses none of our components. */
    async function previewProgram(program: string): Promise<PulumiResult> {
      writeFileSync(
        project.path("index.ts"),
        `import * as command from "@pulumi/command";\nimport * as docker from "@pulumi/docker";\nimport * as pulumi from "@pulumi/pulumi";\nimport * as tls from "@pulumi/tls";\nvoid [command, docker, pulumi, tls];\n${program}`,
      );
      const hand = await project.stack(`hand-${randomBytes(4).toString("hex")}`, {});
      return await hand.pulumiWith(patient, "preview", ...pack);
    }

    test("is seen through", async () => {
      const { code, output } = await previewProgram(`
        const network = new docker.Network("inside", { name: "hand-inside", internal: true });
        const key = new tls.PrivateKey("key", { algorithm: "RSA" });
        new tls.SelfSignedCert("ca", { privateKeyPem: key.privateKeyPem, isCaCertificate: true, allowedUses: ["cert_signing", "server_auth"], validityPeriodHours: 87600 });
        new command.local.Command("key-file", { create: "cat > /srv/hand/key.pem", stdin: key.privateKeyPem });
        new command.local.Command("up", {
          create: "docker compose --file - up --detach",
          stdin: JSON.stringify({ name: "hand", services: { claude: { image: "node", ports: ["80:80"], privileged: true, pid: "host", volumes: ["/var/run/docker.sock:/s"], networks: ["inside", "default"] } }, networks: { inside: { external: true, name: "hand-inside" } } }),
        }, { dependsOn: [network] });
      `);
      expect(code, output).not.toBe(0);
      expect(found(output, "mandatory"), output).toEqual(
        [
          "agent-internal-networks-only",
          "authority-requested",
          "capabilities-dropped",
          "internal-networks-isolated",
          "labels-set",
          "limits-set",
          "no-host-mounts",
          "no-host-namespaces",
          "no-new-privileges",
          "no-published-ports",
          "non-root",
          "not-privileged",
          "private-keys-in-one-service",
          "read-only-root",
          "teardown-guard",
        ].sort(),
      );
    });

    test("that hides its Compose file until the update is stopped", async () => {
      const { code, output } = await previewProgram(`
        const name = new command.local.Command("name", { create: "echo agent" });
        new command.local.Command("up", { create: "cat > /tmp/compose.yml", stdin: pulumi.interpolate\`services: {\${name.stdout}: {image: x}}\` });
        new command.local.Command("start", { create: "docker compose -f /tmp/compose.yml up -d" });
      `);
      expect(code, output).not.toBe(0);
      expect(found(output, "mandatory"), output).toEqual(["compose-file-readable", "inputs-known"]);
      expect(output).toContain("stdin: is not known in preview, so the policies that read it could not run");
    });
  });
});
