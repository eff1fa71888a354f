import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { attachCommand } from "../../scripts/setup/attach-command.ts";
import {
  type BottleEnvironment,
  backendFolder,
  bottleEnvironment,
  fetchedNode,
  missingEnvironment,
  passphraseFile,
  quote,
  renderExports,
  withoutOwnTools,
} from "../../scripts/setup/environment.ts";
import { projectRoot } from "../../scripts/setup/project.ts";
import { isCompatible } from "../../scripts/setup/pulumi-cli.ts";
import { missingPlugins } from "../../scripts/setup/pulumi-plugins.ts";
import { pinnedPlugins } from "../../scripts/setup/pulumi-home.ts";
import { pulumiState } from "../../scripts/setup/state.ts";

describe("the environment for Pulumi", () => {
  const home = { XDG_CONFIG_HOME: "/home/u/.config" };

  test("on an untouched shell: backend of the clone, passphrase file, no update check, folders on PATH", () => {
    expect(missingEnvironment(home, "/pulumi/bin", "/node/bin")).toEqual({
      variables: {
        PULUMI_BACKEND_URL: `file://${backendFolder}`,
        PULUMI_CONFIG_PASSPHRASE_FILE: "/home/u/.config/bottle/passphrase",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        NODE_COMPILE_CACHE: join(dirname(backendFolder), "node-cache"),
      },
      path: ["/pulumi/bin", "/node/bin"],
    });
  });

  test("what the user has set stays", () => {
    const user = { ...home, PULUMI_BACKEND_URL: "s3://states", PULUMI_CONFIG_PASSPHRASE: "", PULUMI_SKIP_UPDATE_CHECK: "false", NODE_COMPILE_CACHE: "/cache" };
    expect(missingEnvironment(user, undefined, undefined)).toEqual({ variables: {}, path: [] });
    expect(missingEnvironment({ ...home, PULUMI_CONFIG_PASSPHRASE_FILE: "/mine" }, undefined, undefined).variables).not.toHaveProperty("PULUMI_CONFIG_PASSPHRASE_FILE");
    expect(missingEnvironment({ PULUMI_BACKEND_URL: "file:///srv/states" }, undefined, undefined).variables).not.toHaveProperty("PULUMI_BACKEND_URL");
  });

  test("what another clone set does not stay, or its stacks would be taken for this one's", () => {
    const other = { PULUMI_BACKEND_URL: "file:///other/clone/.bottle/backend" };
    expect(missingEnvironment(other, undefined, undefined).variables["PULUMI_BACKEND_URL"]).toBe(`file://${backendFolder}`);
  });

  test("the folders that npm adds for a script are no part of PATH; the user's own are", () => {
    const path = "/src/bottle/node_modules/.bin:/src/node_modules/.bin:/node_modules/.bin:/opt/node_modules/.bin:/usr/lib/npm/lib/node-gyp-bin::/usr/bin";
    expect(withoutOwnTools(path, "/src/bottle")).toEqual(["/opt/node_modules/.bin", "/usr/bin"]);
  });

  test("programs that we start find the Node that runs us, wherever PATH leads", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bt-node-"));
    writeFileSync(join(folder, "node"), "#!/bin/sh\necho another\n", { mode: 0o755 });
    const { PATH } = await bottleEnvironment({ ...process.env, PATH: `${folder}:/usr/bin:/bin` });
    expect(execFileSync("/bin/sh", ["-c", "node --version"], { env: { PATH }, encoding: "utf8" })).toBe(`${process.version}\n`);
    rmSync(folder, { recursive: true });
  });

  test("a Node outside .bottle is on PATH already", () => {
    expect(fetchedNode("/bin/sh")).toBeUndefined();
  });
});

describe("the lines for the shell", () => {
  const odd = "/with space/it's $HOME`x`\"";
  const wanted: BottleEnvironment = { variables: { PULUMI_BACKEND_URL: `file://${odd}`, PLAIN: "true" }, path: [`${odd}/bin`, "/node/bin"] };

  /** What a shell holds after evaluating the lines so many times. */
  function evaluate(times: number, lines = renderExports(wanted), path = "/usr/bin:/bin"): Record<string, string> {
    const script = `${'eval "$LINES_TO_EVAL"\n'.repeat(times)}printf '%s\\0' "$PATH" "$PULUMI_BACKEND_URL" "$PLAIN"`;
    const [PATH, PULUMI_BACKEND_URL, PLAIN] = execFileSync("/bin/sh", ["-c", script], { env: { PATH: path, LINES_TO_EVAL: lines }, encoding: "utf8" }).split("\0");
    return { PATH: PATH!, PULUMI_BACKEND_URL: PULUMI_BACKEND_URL!, PLAIN: PLAIN! };
  }

  test("set the values exactly, whatever is in them", () => {
    expect(evaluate(1)).toEqual({ PATH: `${odd}/bin:/node/bin:/usr/bin:/bin`, PULUMI_BACKEND_URL: `file://${odd}`, PLAIN: "true" });
  });

  test("evaluated again, change nothing", () => {
    expect(evaluate(3)).toEqual(evaluate(1));
  });

  test("with nothing to add, leave PATH alone", () => {
    expect(renderExports({ variables: {}, path: [] })).toBe("");
  });

  test("a word is quoted only where it must be", () => {
    expect(quote("/usr/bin:x=1")).toBe("/usr/bin:x=1");
    expect(quote("")).toBe("''");
    expect(quote("it's")).toBe(`'it'\\''s'`);
  });
});

describe("the passphrase file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bt-config-"));
    vi.stubEnv("XDG_CONFIG_HOME", folder);
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", undefined);
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE_FILE", undefined);
    vi.stubEnv("PULUMI_BACKEND_URL", "file:///elsewhere"); // the clone's own backend is left alone
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });
  const ensure = () => pulumiState.ensure(() => {});

  test("is made once, random, for its user alone", async () => {
    await expect(ensure()).resolves.toMatchObject({ changed: true });
    const file = passphraseFile();
    const text = readFileSync(file, "utf8");
    expect(Buffer.from(text.trim(), "base64")).toHaveLength(32);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "bottle")).mode & 0o777).toBe(0o700);
    await expect(ensure()).resolves.toMatchObject({ changed: false });
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  test("that others can read, or that is empty, is refused and not replaced", async () => {
    await ensure();
    const file = passphraseFile();
    chmodSync(file, 0o640);
    await expect(ensure()).rejects.toThrow(`Pulumi state: others can read ${file}.\n  mend:  chmod 600 ${file}`);
    writeFileSync(file, "");
    chmodSync(file, 0o600);
    await expect(ensure()).rejects.toThrow(`Pulumi state: ${file} is empty.`);
  });

  test("is not made where the user gives a passphrase", async () => {
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", "mine");
    await expect(ensure()).resolves.toEqual({ changed: false, detail: "file:///elsewhere, passphrase your own" });
    expect(() => statSync(passphraseFile())).toThrow("ENOENT");
  });

  test("in a folder that cannot be made: the part, the fault, the mend", async () => {
    vi.stubEnv("XDG_CONFIG_HOME", join(projectRoot, "package.json"));
    await expect(ensure()).rejects.toThrow(/^Pulumi state: ENOTDIR.*\n {2}mend: {2}Make that folder writable/s);
  });
});

describe("Pulumi's parts", () => {
  test.each([["v3.255.0", true], ["3.260.1\n", true], ["3.254.9", false], ["4.0.0", false], ["", false]])("CLI %s will do: %s", (version, expected) => {
    expect(isCompatible(version, "3.255.0")).toBe(expected);
  });

  test("plugins that are not listed at their version, or of another kind, are missing", () => {
    const listing = JSON.stringify([
      { name: "docker", kind: "resource", version: "5.0.0" },
      { name: "tls", kind: "resource", version: "v5.5.0" },
      { name: "command", kind: "tool", version: "1.2.1" },
    ]);
    const wanted = [{ name: "docker", version: "5.0.0" }, { name: "tls", version: "5.5.1" }, { name: "command", version: "1.2.1" }];
    expect(missingPlugins(wanted, listing)).toEqual(wanted.slice(1));
  });

  test("the pinned plugins are those of package.json", () => {
    const { dependencies } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { dependencies: Record<string, string> };
    const expected = Object.entries(dependencies)
      .filter(([name]) => name.startsWith("@pulumi/") && !["@pulumi/pulumi", "@pulumi/policy"].includes(name))
      .map(([name, version]) => ({ name: name.slice("@pulumi/".length), version }));
    expect(pinnedPlugins()).toEqual(expected);
  });
});

describe("the attach line", () => {
  const outputs = { attach: "docker --context lab exec -it bottle-a-agent-1 claude --continue", agentContainer: "bottle-a-agent-1" };

  test("runs as it is on a terminal, and without -t elsewhere", () => {
    expect(attachCommand(outputs, [], true)).toBe(outputs.attach);
    expect(attachCommand(outputs, [], false)).toBe("docker --context lab exec -i bottle-a-agent-1 claude --continue");
  });

  test("takes another command, quoted, with its own -it left alone", () => {
    expect(attachCommand(outputs, ["sh", "-it", "echo $HOME"], false)).toBe("docker --context lab exec -i bottle-a-agent-1 sh -it 'echo $HOME'");
  });

  test("must name the container", () => {
    expect(() => attachCommand({ ...outputs, agentContainer: "other" }, [], true)).toThrow("does not name other");
  });
});
