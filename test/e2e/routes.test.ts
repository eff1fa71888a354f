// Routes and tokens that come and change while the agent lives.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { curl } from "../lib/e2e-agent.ts";
import { containers, execIn, type Container } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { changedResources } from "../lib/e2e-pulumi.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { ok, until } from "../lib/run.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

describeWith(["engine", "base", "pipelock", "pulumi"], "routes and tokens that change", () => {
  const plain = "plain.bottle.test";
  const api = "api.bottle.test";
  const more = "more.bottle.test";
  const names = [plain, api, more];
  const route = { host: api, methods: ["GET"], paths: ["/v1/**"], inspect: false, auth: { variable: "E2E_TOKEN" } };
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let before: Record<string, Container>;

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    stack = await project.stack("routes", manifest([]));
    await stack.up({ timeout: 900_000 }); // the agent's image may have to be built
    named = await nameUpstream(stack, upstream, names);
  });
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  function manifest(routes: unknown[]) {
    return {
      agent: { preset: "claude", claude: { login: "none" } },
      network: { hosts: [plain], routes },
      trust: project.trust(upstream.ca),
    };
  }

  async function change(routes: unknown[], token: string | undefined): Promise<Record<string, string>> {
    before = await containers(stack.identity.instance);
    stack.write(manifest(routes));
    return changedResources((await stack.up({ env: { E2E_TOKEN: token } })).output);
  }

  const get = (url: string) => curl(before["agent"]!.name, url);
  const lastCredential = () => upstream.requests.at(-1)?.headers["authorization"];

  test("the first route puts egress before pipelock; the agent goes on with its address and roots", async () => {
    before = await containers(stack.identity.instance);
    expect(Object.keys(before).sort()).toEqual(["agent", "pipelock"]);
    const seen = 'echo "$HTTPS_PROXY"; sha256sum "$SSL_CERT_FILE"; getent hosts proxy; date +%s > ~/started';
    const old = (await execIn(before["agent"]!.name, seen)).stdout;
    expect((await get(`https://${plain}/`)).status).toBe(200);
    expect((await get(`https://${api}/v1/x`)).status).not.toBe(200);

    await change([route], "first-e2e-token");
    const now = await containers(stack.identity.instance);
    expect(Object.keys(now).sort()).toEqual(["agent", "egress", "pipelock"]);
    expect(now["agent"]).toEqual(before["agent"]);
    expect((await execIn(now["agent"]!.name, seen)).stdout).toBe(old);
    expect((await get(`https://${plain}/`)).status).toBe(200);
    expect((await get(`https://${api}/v1/x`)).status).toBe(200);
    expect(lastCredential()).toBe("Bearer first-e2e-token");
    // The upstream lives on the egress network, which the change must not have replaced.
    expect((await get(`https://${api}/v2/x`)).status).toBe(403);
  });

  test("a changed token is noticed by the next up, and nothing restarts", async () => {
    const changed = await change([route], "second-e2e-token");
    expect(changed).toMatchObject({ "routes-egress-tokens": "updated" });
    expect(Object.keys(changed).filter((name) => !/-tokens$|-up$/.test(name))).toEqual([]);
    expect(await containers(stack.identity.instance)).toEqual(before);
    await get(`https://${api}/v1/x`);
    expect(lastCredential()).toBe("Bearer second-e2e-token");
    const { stdout } = await stack.succeed({}, "stack", "export", "--show-secrets");
    expect(stdout).not.toContain("e2e-token");
  });

  test("the same token again is no change", async () => {
    await stack.succeed({ env: { E2E_TOKEN: "second-e2e-token" } }, "up", "--yes", "--skip-preview", "--expect-no-changes");
  });

  test("a second route is in force at once, by reload", async () => {
    const changed = await change([route, { host: more, paths: ["/only"] }], "second-e2e-token");
    expect(changed).toEqual({ "routes-egress-rules": "updated", "routes-pipelock-config": "updated" });
    expect(await containers(stack.identity.instance)).toEqual(before);
    expect((await get(`https://${more}/only`)).status).toBe(200);
    expect((await get(`https://${more}/other`)).status).toBe(403);
  });

  test("a required token that is missing stops up before anything is touched", async () => {
    before = await containers(stack.identity.instance);
    const { code, output } = await stack.pulumiWith({ env: { E2E_TOKEN: undefined } }, "up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toContain("bottle:network.routes (api-bottle-test): the variable E2E_TOKEN is not set; export it before `pulumi up`, or set auth.optional: true");
    expect(await containers(stack.identity.instance)).toEqual(before);
    expect((await get(`https://${api}/v1/x`)).status).toBe(200);
    expect(lastCredential()).toBe("Bearer second-e2e-token");
  });

  test("an optional token that is missing goes on without credential, and comes back", async () => {
    const optional = { ...route, auth: { ...route.auth, optional: true } };
    await change([optional], undefined);
    expect((await get(`-H 'authorization: Bearer of-the-agent' https://${api}/v1/x`)).status).toBe(200);
    expect(lastCredential()).toBeUndefined();
    await change([optional], "third-e2e-token");
    await get(`https://${api}/v1/x`);
    expect(lastCredential()).toBe("Bearer third-e2e-token");
    expect(await containers(stack.identity.instance)).toEqual(before);
  });

  test("tokens gone from memory, as after a reboot: the route fails closed and says so; the next up mends it", async () => {
    const [folder] = stack.memoryFolders();
    await change([route], "third-e2e-token"); // required from now on
    for (const name of readdirSync(join(folder!, "egress"))) rmSync(join(folder!, "egress", name));
    await ok("docker", ["restart", "--timeout", "2", before["egress"]!.id]);
    const seen = upstream.requests.length;
    await until("egress answers again", async () => (await get(`https://${api}/v1/x`)).status !== 0);
    const { status, body } = await get(`https://${api}/v1/x`);
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({ reason: "token_missing", message: expect.stringMatching(/api\.bottle\.test.*`pulumi up`/) });
    expect(upstream.requests.length).toBe(seen);
    await change([route], "third-e2e-token");
    expect((await get(`https://${api}/v1/x`)).status).toBe(200);
  });

  test("the folder in memory itself gone: up makes it again, and egress sees what is in it", async () => {
    for (const folder of stack.memoryFolders()) rmSync(folder, { recursive: true });
    await change([route], "fourth-e2e-token");
    expect((await get(`https://${api}/v1/x`)).status).toBe(200);
    expect(lastCredential()).toBe("Bearer fourth-e2e-token");
    await change([route], "fifth-e2e-token");
    await get(`https://${api}/v1/x`);
    expect(lastCredential()).toBe("Bearer fifth-e2e-token");
    expect((await containers(stack.identity.instance))["agent"]).toEqual(before["agent"]);
  });

  test("without any route egress goes again, and the agent stays", async () => {
    await change([], undefined);
    const now = await containers(stack.identity.instance);
    expect(Object.keys(now).sort()).toEqual(["agent", "pipelock"]);
    expect(now["agent"]).toEqual(before["agent"]);
    expect((await get(`https://${plain}/`)).status).toBe(200);
    expect((await get(`https://${api}/v1/x`)).status).not.toBe(200);
    expect(readFileSync(`${stack.state}/docker-compose.yml`, "utf8")).not.toContain("egress/rules");
    await stack.succeed({}, "preview", "--expect-no-changes");
  });
});
