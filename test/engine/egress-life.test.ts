// egress's own life on a real engine: start, health, reload, tokens, what outlives its rule, stop.
import { mkdtempSync, rmSync, writeFileSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtEgressImage, startEgress, type EgressRig, type EgressRigOptions } from "../lib/egress-rig.ts";
import { describeWith } from "../lib/parts.ts";
import { ask, closed, head, open, tlsTunnel, tunnel } from "../lib/raw-client.ts";
import { ok, run, until } from "../lib/run.ts";
import { startStubProxy, type StubProxy } from "../lib/stub-proxy.ts";
import { startUpstream, type Upstream } from "../lib/upstream.ts";

const upgrade = { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "eHh4eHh4eHh4eHh4eHh4eA==" };

function rules(revision: string, { hosts = "", routes = "" } = {}): string {
  return `
revision: "${revision}"
hosts: [${hosts}]
routes:
  - {name: api, host: api.test, paths: ["/v1/**"], auth: {token: API_KEY, scheme: bearer}}
${routes}`;
}

const inSeconds = (seconds: number): string => `"${new Date(Date.now() + seconds * 1000).toISOString()}"`;

describeWith(["engine", "base"], "egress's life", () => {
  let upstream: Upstream;
  let proxy: StubProxy;

  beforeAll(async () => {
    upstream = await startUpstream({ names: ["api.test", "docs.test", "live.test"] });
    proxy = await startStubProxy(() => ({ port: upstream.httpsPort }), upstream.httpPort);
    await builtEgressImage();
  });
  afterAll(async () => {
    await proxy?.close();
    await upstream?.close();
  });

  async function withEgress(options: Partial<EgressRigOptions>, use: (egress: EgressRig) => Promise<void>): Promise<void> {
    const egress = await startEgress({ rules: rules("1"), tokens: { API_KEY: "first-key" }, trust: upstream.ca, upstream: proxy.port, ...options });
    try {
      await use(egress);
    } finally {
      await egress.close();
    }
  }

  /** The credential with which a request reached the server, or the refusal's reason. */
  async function credential(egress: EgressRig): Promise<unknown> {
    const stream = await tlsTunnel(egress.address, "api.test", { ca: egress.ca });
    const answer = await ask(stream, head("GET", "/v1/x", "api.test"));
    stream.destroy();
    return answer.headers["x-bottle-refused"] ?? (JSON.parse(answer.body) as { headers: Record<string, string> }).headers["authorization"];
  }

  test.each([1000, 4242])("as uid %i: healthy on a read-only root without capabilities, small, quick, gone within a second", async (user) => {
    await withEgress({ user }, async (egress) => {
      expect(await egress.status()).toMatchObject({ revision: "1", tokens: ["API_KEY"], missing_tokens: [], tokens_revision: "first", error: null });
      expect(await credential(egress)).toBe("Bearer first-key");
      const listening = (await egress.logs()).find((line) => line["event"] === "listening")!;
      expect(listening["ms"]).toBeLessThan(3_000);
      const memory = await ok("docker", ["stats", "--no-stream", "--format", "{{.MemUsage}}", egress.name]);
      expect(Number(/^([\d.]+)MiB/.exec(memory)?.[1])).toBeLessThan(75);
      const busy = await Promise.all([tlsTunnel(egress.address, "api.test", { ca: egress.ca }), open(egress.address), tunnel(egress.address, "api.test:443")]);
      const started = Date.now();
      await ok("docker", ["stop", "--time", "10", egress.name]);
      expect(Date.now() - started).toBeLessThan(1_500);
      expect(await ok("docker", ["inspect", "--format", "{{.State.ExitCode}}", egress.name])).toBe("0");
      busy.forEach((socket) => socket.destroy());
    });
  });

  test("no token is seen in what the engine or a neighbour of its processes could read", async () => {
    await withEgress({}, async (egress) => {
      expect(await credential(egress)).toBe("Bearer first-key");
      const seen = [
        await ok("docker", ["inspect", egress.name]),
        await ok("docker", ["exec", egress.name, "bash", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'; cat /run/egress/* /tmp/* 2>/dev/null; true"]),
        JSON.stringify(await egress.logs()),
      ].join("");
      expect(seen).toContain("egress");
      expect(seen).not.toContain("first-key");
    });
  });

  test("new rules are in force after SIGHUP, also for the next request of a kept connection", async () => {
    await withEgress({}, async (egress) => {
      const stream = await tlsTunnel(egress.address, "api.test", { ca: egress.ca });
      const status = async (path: string) => (await ask(stream, head("GET", path, "api.test"))).status;
      expect([await status("/v1/a"), await status("/v2/a")]).toEqual([200, 403]);
      egress.writeRules(rules("2").replace("/v1/**", "/v2/**"));
      expect(await egress.reload()).toMatchObject({ revision: "2", error: null });
      expect([await status("/v1/a"), await status("/v2/a")]).toEqual([403, 200]);
      stream.destroy();
    });
  });

  test("refused rules leave the old ones in force, and say why", async () => {
    await withEgress({}, async (egress) => {
      egress.writeRules("revision: '2'\nrouts: []\n");
      expect(await egress.reload()).toMatchObject({ revision: "1", error: expect.stringContaining("unknown key 'routs'") as string });
      expect(await credential(egress)).toBe("Bearer first-key");
      egress.writeRules(rules("3"));
      expect(await egress.reload()).toMatchObject({ revision: "3", error: null });
    });
  });

  test("tokens: changed, taken away, put back", async () => {
    await withEgress({}, async (egress) => {
      egress.writeToken("API_KEY", "second-key");
      egress.writeToken(".revision", "second");
      expect(await egress.reload()).toMatchObject({ tokens_revision: "second" });
      expect(await credential(egress)).toBe("Bearer second-key");
      egress.writeToken("API_KEY", undefined);
      expect(await egress.reload()).toMatchObject({ tokens: [], missing_tokens: ["API_KEY"] });
      expect(await credential(egress)).toBe("token_missing");
      egress.writeToken("API_KEY", "third-key\n");
      await egress.reload();
      expect(await credential(egress)).toBe("Bearer third-key");
    });
  });

  test("a tunnel whose host is taken away, or gets a route, is closed; others stay", async () => {
    const hosts = "{host: docs.test}, {host: live.test}";
    await withEgress({ rules: rules("1", { hosts }) }, async (egress) => {
      const [docs, live] = await Promise.all(["docs.test", "live.test"].map((host) => tlsTunnel(egress.address, host, { ca: upstream.ca })));
      expect((await ask(docs!, head("GET", "/", "docs.test"))).status).toBe(200);
      const gone = closed(docs!);
      egress.writeRules(rules("2", { hosts: "{host: live.test}" }));
      await egress.reload();
      await gone;
      expect((await ask(live!, head("GET", "/", "live.test"))).status).toBe(200);
      const opened = closed(live!);
      egress.writeRules(rules("3", { hosts: "{host: live.test}", routes: "  - {name: live, host: live.test, paths: [/only]}" }));
      await egress.reload();
      await opened;
    });
  });

  test("a WebSocket whose route is taken away is closed", async () => {
    const routes = "  - {name: ws, host: live.test, paths: [/ws], websocket: true}";
    await withEgress({ rules: rules("1", { routes }) }, async (egress) => {
      const stream = await tlsTunnel(egress.address, "live.test", { ca: egress.ca });
      expect((await ask(stream, head("GET", "/ws", "live.test", upgrade))).status).toBe(101);
      egress.writeRules(rules("2", { routes }));
      await egress.reload();
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(stream.destroyed).toBe(false);
      const gone = closed(stream);
      egress.writeRules(rules("3", { routes: routes.replace("websocket: true", "websocket: false") }));
      await egress.reload();
      await gone;
    });
  });

  test("a rule ends by the clock: tunnels, WebSockets and streams under it too", async () => {
    const expires = `expires: ${inSeconds(6)}`;
    const routes = `  - {name: ws, host: live.test, websocket: true, ${expires}}`;
    await withEgress({ rules: rules("1", { hosts: `{host: docs.test, ${expires}}`, routes }) }, async (egress) => {
      const raw = await tlsTunnel(egress.address, "docs.test", { ca: upstream.ca });
      const [socket, stream] = await Promise.all([0, 1].map(() => tlsTunnel(egress.address, "live.test", { ca: egress.ca })));
      expect((await ask(socket!, head("GET", "/ws", "live.test", upgrade))).status).toBe(101);
      stream!.write(head("GET", "/sse?n=1000&interval=100", "live.test"));
      await Promise.all([closed(raw), closed(socket!), closed(stream!)]);
      const late = await tlsTunnel(egress.address, "live.test", { ca: egress.ca });
      expect((await ask(late, head("GET", "/", "live.test"))).headers["x-bottle-refused"]).toBe("rule_expired");
      const host = await tlsTunnel(egress.address, "docs.test", { ca: egress.ca });
      expect((await ask(host, head("GET", "/", "docs.test"))).headers["x-bottle-refused"]).toBe("rule_expired");
      [late, host].forEach((each) => each.destroy());
    });
  });

  test("a reload asked for while it starts is not lost, and does not end it", async () => {
    await withEgress({}, async (egress) => {
      await ok("docker", ["kill", "--signal", "KILL", egress.name]);
      await ok("docker", ["start", egress.name]);
      const state = () => ok("docker", ["inspect", "--format", "{{.State.Status}}", egress.name]);
      for (let n = 0; n < 5; n++) await run("docker", ["kill", "--signal", "HUP", egress.name]);
      await until("it is healthy again", async () => (await ok("docker", ["inspect", "--format", "{{.State.Health.Status}}", egress.name])) === "healthy", 15_000);
      expect(await state()).toBe("running");
      expect(await credential(egress)).toBe("Bearer first-key");
    });
  });

  describe("what it cannot start with", () => {
    test.each([
      ["bad rules", { rules: "revision: 5" }, "revision: must be a string"],
      ["no roots to trust", { trust: "" }, "/etc/bottle/trust/upstream.pem is not as it should be"],
    ] as [string, Partial<EgressRigOptions>, string][])("%s: it ends at once and says why", async (_, options, error) => {
      await withEgress({ ...options, expect: "exit" }, async (egress) => {
        expect(await ok("docker", ["inspect", "--format", "{{.State.ExitCode}}", egress.name])).toBe("1");
        const last = (await egress.logs()).at(-1)!;
        expect(last).toMatchObject({ event: "start_failed", error: expect.stringContaining(error) as string });
      });
    });
  });

  describe("check", () => {
    async function check(text: string): Promise<{ code: number; stdout: string; stderr: string }> {
      const folder = mkdtempSync(join(tmpdir(), "bt-egress-check-"));
      writeFileSync(join(folder, "rules.yaml"), text);
      chmodSync(folder, 0o755);
      try {
        const image = await builtEgressImage();
        return await run("docker", ["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--volume", `${folder}:/x:ro`, image, "check", "/x/rules.yaml"]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    }

    test("a good file", async () => {
      expect(await check(rules("1"))).toMatchObject({ code: 0, stdout: "ok: 0 hosts, 1 routes\n", stderr: "" });
    });

    test("a bad one, by key path and problem", async () => {
      expect(await check(rules("1").replace("/v1/**", "v1"))).toEqual({
        code: 1,
        stdout: "",
        stderr: "/x/rules.yaml: routes[0].paths[0]: 'v1' does not begin with /; no canonical path would match it\n",
      });
    });
  });
});
