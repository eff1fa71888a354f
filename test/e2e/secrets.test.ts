// Tokens are looked for wherever they could have been left. Each is of a form that can be told from all else, and is
// looked for as it is, in base64 (whatever stands before it), in hex and in JSON.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { curl } from "../lib/e2e-agent.ts";
import { containers, execIn } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, run } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

const variableToken = "e2eVariableToken7Qx9Lm2Vr5";
const secretToken = "e2ePulumiSecret4Wn8Kt3Zy6";
const nextSecret = "e2eRotatedSecret2Hd6Jb9Xs1";
const inherited = "e2eInheritedValue1Bc5Df7";

describeWith(["engine", "base", "pipelock", "pulumi"], "secrets", () => {
  const names = ["variable.bottle.test", "secret.bottle.test", "socket.bottle.test"];
  const env = { E2E_SECRET_VARIABLE: variableToken, E2E_INHERITED: inherited };
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  /** What commands said, by command. */
  const said: Record<string, string> = {};

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    stack = project.register("secrets", {
      agent: { preset: "claude", claude: { login: "api-key" }, inheritEnv: ["E2E_INHERITED"] },
      network: {
        routes: [
          { host: names[0], inspect: false, paths: ["/v1/**"], auth: { variable: "E2E_SECRET_VARIABLE" } },
          { host: names[1], auth: { secret: "set below", scheme: "basic", username: "bob" } },
          { host: names[2], inspect: false, auth: { variable: "E2E_SECRET_VARIABLE", header: "x-token", scheme: "raw" } },
        ],
      },
      trust: project.trust(upstream.ca),
    });
    await project.pulumi(["stack", "select", "--create", stack.name]);
    await stack.succeed({}, "config", "set", "--secret", "--path", "bottle:network.routes[1].auth.secret", secretToken);
    const withPreview = async (...args: string[]) => (said[args.join(" ")] = (await stack.succeed({ env, timeout: 900_000 }, ...args)).output);
    await withPreview("preview", "--diff", "--json");
    await withPreview("preview", "--diff");
    await withPreview("up", "--yes", "--diff", "--verbose=3", "--logtostderr");
    named = await nameUpstream(stack, upstream, names);
  });
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  /** The forms under which a token would be found, apart from the token itself. */
  function forms(token: string): string[] {
    const bytes = Buffer.from(token);
    // Whatever precedes it, base64 holds one of three strings: the token's ends, which its neighbours change, are left out.
    const base64 = [0, 1, 2].map((shift) => Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64").replace(/=+$/, "").slice(shift === 0 ? 0 : 4, -2));
    return [token, ...base64, bytes.toString("hex"), encodeURIComponent(token)];
  }

  function holds(text: string | Buffer, token: string): boolean {
    const content = Buffer.isBuffer(text) ? text : Buffer.from(text);
    return forms(token).some((form) => content.includes(form));
  }

  function expectNone(where: string, text: string | Buffer, tokens = [variableToken, secretToken, nextSecret]): void {
    expect(text.length, `${where} is empty: nothing was looked at`).toBeGreaterThan(0);
    for (const token of tokens) expect(holds(text, token), `${where} holds ${token}`).toBe(false);
  }

  function filesUnder(folder: string): string[] {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => !name.startsWith("node_modules"))
      .map((name) => join(folder, name))
      .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  }

  test("the search finds a token in each of its forms", () => {
    for (const text of [variableToken, Buffer.from(`a:${variableToken}:`).toString("base64"), Buffer.from(`ab:${variableToken}`).toString("base64"), Buffer.from(variableToken).toString("hex")]) {
      expect(holds(text, variableToken)).toBe(true);
    }
  });

  test("they reach the upstreams, put on by egress", async () => {
    const agent = (await containers(stack.identity.instance))["agent"]!.name;
    for (const host of names) expect((await curl(agent, `https://${host}/v1/x`)).status).toBe(200);
    const seen = upstream.requests.map(({ headers }) => headers["authorization"] ?? headers["x-token"]);
    expect(seen).toEqual([`Bearer ${variableToken}`, `Basic ${Buffer.from(`bob:${secretToken}`).toString("base64")}`, variableToken]);
    // Refusals and a host that does not answer are logged too.
    expect((await curl(agent, `https://${names[0]}/v2/x`)).status).toBe(403);
    await run("docker", ["pause", named!.container]);
    await curl(agent, `--max-time 2 https://${names[1]}/slow`);
    await run("docker", ["unpause", named!.container]);
  });

  test("they are in no file of the project, the state, the backend and its history", () => {
    const files = filesUnder(project.folder);
    expect(files.some((path) => path.includes("backend/.pulumi/history/"))).toBe(true);
    expect(files.some((path) => path.includes("backend/.pulumi/stacks/"))).toBe(true);
    for (const path of files) {
      const content = readFileSync(path);
      if (content.length > 0) expectNone(path, content);
    }
  });

  test("they are in no output of Pulumi, preview and diff as JSON included", async () => {
    said["second up"] = (await stack.succeed({ env }, "up", "--yes", "--json")).output;
    said["outputs"] = (await stack.succeed({}, "stack", "output", "--show-secrets", "--json")).output;
    said["export"] = (await stack.succeed({}, "stack", "export")).output;
    for (const [command, output] of Object.entries(said)) expectNone(`pulumi ${command}`, output, [variableToken, secretToken, inherited]);
  });

  test("a token from the environment is not in the state even in plain text", async () => {
    expectNone("pulumi stack export --show-secrets", (await stack.succeed({}, "stack", "export", "--show-secrets")).output, [variableToken, inherited]);
  });

  test("they are in no container's configuration, arguments, environment or log", async () => {
    const all = await containers(stack.identity.instance);
    expect(Object.keys(all).sort()).toEqual(["agent", "egress", "pipelock"]);
    for (const { service, id } of Object.values(all)) {
      const inspected = await ok("docker", ["inspect", id]);
      expectNone(`docker inspect ${service}`, inspected);
      expectNone(`docker top ${service}`, await ok("docker", ["top", id, "-eo", "pid,args"]));
      const log = await run("docker", ["logs", id]);
      if (service !== "agent") expectNone(`docker logs ${service}`, log.stdout + log.stderr);
      const { Image } = (JSON.parse(inspected) as { Image: string }[])[0]!;
      expectNone(`docker history ${service}`, await ok("docker", ["history", "--no-trunc", Image]));
      // Compose reads an inherited variable's value at up: what docker inspect shows of it is the agent's own, by the manifest's will.
      if (service !== "agent") expectNone(`docker inspect ${service}`, inspected, [inherited]);
      const host = JSON.parse(inspected) as { State: { Pid: number } }[];
      if (process.getuid?.() === 0) expectNone(`/proc of ${service}`, Buffer.concat(["environ", "cmdline"].map((file) => readFileSync(`/proc/${host[0]!.State.Pid}/${file}`))));
    }
  });

  test("the agent holds placeholders only, in its environment, processes and files", async () => {
    const agent = (await containers(stack.identity.instance))["agent"]!.name;
    const environment = (await execIn(agent, "env")).stdout;
    expectNone("env", environment);
    expect(environment).toMatch(/^ANTHROPIC_API_KEY=.*placeholder/m);
    expect(environment).toContain(`E2E_INHERITED=${inherited}`);
    expectNone("/proc", (await execIn(agent, "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null")).stdout);
    for (const token of [variableToken, secretToken]) {
      const found = await execIn(agent, `grep -rlF --exclude-dir=proc --exclude-dir=sys -e "$NEEDLE" / 2>/dev/null`, { env: { NEEDLE: token.slice(0, -1) }, timeout: 120_000 });
      expect(found.stdout, token).toBe("");
    }
  });

  test("the folder in memory is 0700, its files 0600, and it is in memory", async () => {
    const folders = stack.memoryFolders();
    expect(folders).toHaveLength(1);
    expect((statSync(folders[0]!).mode & 0o777).toString(8)).toBe("700");
    const folder = join(folders[0]!, "egress");
    expect((statSync(folder).mode & 0o777).toString(8)).toBe("700");
    for (const name of readdirSync(folder)) expect((statSync(join(folder, name)).mode & 0o777).toString(8), name).toBe("600");
    expect(await ok("stat", ["--file-system", "--format", "%T", folder])).toBe("tmpfs");
  });

  test("another Pulumi secret: one up, and no restart", async () => {
    const before = await containers(stack.identity.instance);
    const set = await stack.succeed({}, "config", "set", "--secret", "--path", "bottle:network.routes[1].auth.secret", nextSecret);
    const { output } = await stack.up({ env });
    expectNone("pulumi config set and up", set.output + output);
    const after = await containers(stack.identity.instance);
    for (const name of Object.keys(before)) expect(after[name]!.startedAt, name).toBe(before[name]!.startedAt);
    expect((await curl(after["agent"]!.name, `https://${names[1]}/v1/rotated`)).status).toBe(200);
    expect(upstream.requests.at(-1)!.headers["authorization"]).toBe(`Basic ${Buffer.from(`bob:${nextSecret}`).toString("base64")}`);
  });

  test("they are in no error of a failing up", async () => {
    const original = readFileSync(stack.file, "utf8");
    const failures: [string, string, NodeJS.ProcessEnv][] = [
      ["an image that exits at once", original.replace("preset: claude", "image: ghcr.io/luckypipewrench/pipelock:2.3.0"), env],
      ["the secret where a variable's name belongs", original.replace("variable: E2E_SECRET_VARIABLE", `variable: ${variableToken}-x`), env],
      ["a token with a line break", original, { ...env, E2E_SECRET_VARIABLE: `${variableToken}\nx: ${variableToken}` }],
    ];
    for (const [name, manifest, environment] of failures) {
      writeFileSync(stack.file, manifest);
      const { output } = await stack.pulumiWith({ env: environment }, "up", "--yes", "--skip-preview");
      expectNone(name, output);
    }
    writeFileSync(stack.file, original);
  });

  test("after destroy they are neither in what stays nor in memory", async () => {
    await named?.remove();
    const { output } = await stack.destroy({ env });
    expectNone("pulumi destroy", output);
    expect(stack.memoryFolders()).toEqual([]);
    const kept = filesUnder(stack.state);
    expect(kept.map((path) => path.slice(stack.state.length + 1))).toContain("compose.log");
    for (const path of kept) expectNone(path, readFileSync(path));
  });
});
