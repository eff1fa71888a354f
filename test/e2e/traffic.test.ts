// Traffic from inside the agent, against a server that the test runs.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { curl, type Answer } from "../lib/e2e-agent.ts";
import { containers, execIn } from "../lib/e2e-engine.ts";
import { scratchProject, type ScratchProject, type Stack } from "../lib/e2e-project.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { describeWith } from "../lib/parts.ts";
import { ok } from "../lib/run.ts";
import { startUpstream, type Echo, type Upstream } from "../lib/upstream.ts";

const plain = "plain.bottle.test";
const passed = "passed.bottle.test";
const api = "api.bottle.test";
const strict = "strict.bottle.test";
const wild = "deep.down.wild.bottle.test";
const apex = "wild.bottle.test";
const unlisted = "unlisted.bottle.test";
const names = [plain, passed, api, strict, wild, apex, unlisted];
// Of a form that pipelock's default patterns know.
const realKey = `sk-ant-api03-${"e2eRealKey".repeat(9)}AA`;
const plainSecret = "e2e-token-of-the-pulumi-secret";

describeWith(["engine", "base", "pipelock", "pulumi"], "traffic from inside the agent", () => {
  let project: ScratchProject;
  let stack: Stack;
  let upstream: Upstream;
  let named: NamedUpstream | undefined;
  let agent: string;

  beforeAll(async () => {
    upstream = await startUpstream({ names });
    project = await scratchProject();
    const manifest = {
      agent: { preset: "claude", claude: { login: "none" } },
      network: {
        hosts: [plain, { host: passed, inspect: false }, { host: "*.wild.bottle.test", inspect: false }],
        routes: [
          { name: "llm", host: api, inspect: false, methods: ["GET", "POST"], paths: ["/v1/**"], auth: { variable: "E2E_KEY", header: "x-api-key", scheme: "raw" } },
          { name: "socket", host: api, inspect: false, paths: ["/ws"], websocket: true },
          { name: "events", host: api, inspect: false, paths: ["/sse", "/sink"] },
          { name: "query", host: strict, paths: ["/search/*"], query: { kind: "open-*" }, auth: { secret: "set below", scheme: "basic", username: "bob" } },
        ],
      },
      trust: project.trust(upstream.ca),
    };
    stack = project.register("traffic", manifest);
    await project.pulumi(["stack", "select", "--create", stack.name]);
    const set = await stack.pulumi("config", "set", "--secret", "--path", "bottle:network.routes[3].auth.secret", plainSecret);
    expect(set.code, set.output).toBe(0);
    await stack.up({ env: { E2E_KEY: realKey }, timeout: 900_000 });
    named = await nameUpstream(stack, upstream, names);
    agent = (await containers(stack.identity.instance))["agent"]!.name;
  });
  afterAll(async () => {
    await named?.remove();
    await project?.dispose();
    await upstream?.close();
  });

  const get = (args: string, options?: { input?: string; timeout?: number }) => curl(agent, args, options);
  const echo = (answer: Answer) => JSON.parse(answer.body) as Echo;

  /** Refused before the upstream saw anything. */
  async function expectRefused(args: string): Promise<Answer> {
    const seen = upstream.requests.length;
    const answer = await get(args);
    expect(answer.status, `${args}: ${answer.body}`).toBe(403);
    expect(upstream.requests.length, args).toBe(seen);
    return answer;
  }

  describe("hosts and routes", () => {
    test.each([plain, passed, wild])("allowed as a whole: %s", async (host) => {
      const answer = await get(`-X DELETE 'https://${host}/any/path?x=1'`);
      expect(answer, answer.error).toMatchObject({ status: 200 });
      expect(echo(answer)).toMatchObject({ method: "DELETE", path: "/any/path?x=1", servername: host });
      expect((await get(`http://${host}/plain`)).status).toBe(200);
    });

    test("within methods and paths the credential is put on, and the agent's own taken off", async () => {
      const answer = await get(`-H 'x-api-key: of-the-agent' -d '{}' https://${api}/v1/messages`);
      expect(answer, answer.error).toMatchObject({ status: 200 });
      expect(upstream.requests.at(-1)).toMatchObject({ method: "POST", path: "/v1/messages", headers: { "x-api-key": realKey } });
    });

    test("within its query rule a route with basic authentication passes, also where pipelock inspects", async () => {
      const answer = await get(`'https://${strict}/search/all?kind=open-source&page=2'`);
      expect(answer, answer.error).toMatchObject({ status: 200 });
      expect(upstream.requests.at(-1)!.headers["authorization"]).toBe(`Basic ${Buffer.from(`bob:${plainSecret}`).toString("base64")}`);
    });

    test.each([
      ["a host that is not named", `https://${unlisted}/`],
      ["a wildcard's own apex", `https://${apex}/`],
      ["a method", `-X DELETE https://${api}/v1/messages`],
      ["a path", `https://${api}/v2/messages`],
      ["a path by dot segments", `--path-as-is https://${api}/v1/../v2/messages`],
      ["a path by encoded dot segments", `--path-as-is https://${api}/v1/%2e%2e/v2/messages`],
      ["a query", `'https://${strict}/search/all?kind=closed'`],
      ["a query given twice", `'https://${strict}/search/all?kind=open-a&kind=closed'`],
      ["a Host other than the tunnel's", `-H 'Host: ${unlisted}' https://${api}/v1/messages`],
      ["plain http to a route of https", `http://${api}/v1/messages`],
    ])("refused: %s", async (_, args) => {
      await expectRefused(args);
    });

    test("a refusal is JSON that says what would be needed", async () => {
      const { body } = await expectRefused(`-X PUT https://${api}/v1/messages`);
      const text = JSON.stringify(JSON.parse(body));
      for (const needed of [api, "PUT", "/v1/messages"]) expect(text).toContain(needed);
      expect(text).not.toContain(realKey);
    });

    test("another port of an allowed host is refused", async () => {
      const seen = upstream.requests.length;
      expect((await get(`https://${plain}:8443/`)).status).not.toBe(200);
      expect((await get(`https://${passed}:8443/`)).status).not.toBe(200);
      expect(upstream.requests.length).toBe(seen);
    });
  });

  describe("feels direct", () => {
    test("server-sent events arrive within 100 ms of being sent", async () => {
      // Both ends read the same clock: the container is on this machine.
      const script = `
        const answer = await fetch("https://${api}/sse?n=6&interval=300");
        let text = "", late = [];
        for await (const chunk of answer.body) {
          text += Buffer.from(chunk).toString();
          for (let end; (end = text.indexOf("\\n\\n")) >= 0; text = text.slice(end + 2)) late.push(Date.now() - JSON.parse(text.slice(6, end)).at);
        }
        console.log(JSON.stringify(late));`;
      const { stdout, stderr } = await execIn(agent, "node --input-type=module", { input: script });
      const late = JSON.parse(stdout || `"${stderr}"`) as number[];
      expect(late).toHaveLength(6);
      expect(Math.max(...late), `delays: ${late} ms`).toBeLessThanOrEqual(100);
    });

    test("a WebSocket works where its route says so, and nowhere else", async () => {
      const script = (url: string) => `
        const http = require("node:http"), tls = require("node:tls"), fs = require("node:fs");
        const { host } = new URL("${url}");
        http.request({ host: "proxy", port: 8080, method: "CONNECT", path: host + ":443" }).on("connect", (_, socket) => {
          const secure = tls.connect({ socket, servername: host, ca: fs.readFileSync(process.env.SSL_CERT_FILE) }, () => {
            secure.write("GET ${new URL(url).pathname} HTTP/1.1\\r\\nHost: " + host + "\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n");
          });
          let text = Buffer.alloc(0), sent = false;
          secure.on("data", (data) => {
            text = Buffer.concat([text, data]);
            const end = text.indexOf("\\r\\n\\r\\n");
            if (end < 0) return;
            const status = text.subarray(9, 12).toString();
            if (status !== "101") { console.log(status); process.exit(); }
            // A masked text frame (RFC 6455): mask of zeros.
            if (!sent) { sent = true; secure.write(Buffer.concat([Buffer.from([0x81, 0x85, 0, 0, 0, 0]), Buffer.from("hello")])); }
            const frame = text.subarray(end + 4);
            if (frame.length >= 7) { console.log(status, frame.subarray(2, 7).toString()); process.exit(); }
          });
        }).end();`;
      const talk = async (url: string) => (await execIn(agent, "timeout 20 node", { input: script(url) })).stdout.trim();
      expect(await talk(`https://${api}/ws`)).toBe("101 hello");
      expect(await talk(`https://${api}/v1/ws`)).toBe("403");
    });

    test("a chat request of 500 KB passes whole", async () => {
      const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "lorem ipsum dolor ".repeat(28_000) }] });
      const answer = await get(`-H 'content-type: application/json' --data-binary @- https://${api}/v1/messages`, { input: body });
      expect(answer, answer.error).toMatchObject({ status: 200 });
      expect(echo(answer).bodyBytes).toBe(Buffer.byteLength(body));
    });

    test("a conversation of 200 turns in content blocks is not refused", async () => {
      const turn = (n: number) => ({ role: n % 2 ? "assistant" : "user", content: [{ type: "text", text: `turn ${n}: the garden is quiet and the letter is on the table` }] });
      const script = `
        const turns = ${JSON.stringify(Array.from({ length: 200 }, (_, n) => turn(n)))};
        const seen = {};
        for (let n = 1; n <= turns.length; n++) {
          const { status } = await fetch("https://${api}/v1/messages", { method: "POST", body: JSON.stringify({ messages: turns.slice(0, n) }), headers: { "content-type": "application/json" } });
          seen[status] = (seen[status] ?? 0) + 1;
        }
        console.log(JSON.stringify(seen));`;
      const { stdout, stderr } = await execIn(agent, "node --input-type=module", { input: script, timeout: 120_000 });
      expect(stdout, stderr).toBe('{"200":200}\n');
    });
  });

  describe("what pipelock inspects", () => {
    const secret = `AKIA${"IOSFODNN7QWERTYU"}`;

    test("a secret in a body to an inspected host is refused, a harmless body passes", async () => {
      expect((await get(`-d 'nothing of note' https://${plain}/`)).status).toBe(200);
      await expectRefused(`-d 'key=${secret}' https://${plain}/`);
    });

    test("a secret in a URL or header to an inspected host is refused", async () => {
      await expectRefused(`'https://${plain}/?key=${secret}'`);
      await expectRefused(`-H 'cookie: session=${secret}' https://${plain}/`);
    });

    test("a credential in a header that egress itself writes is taken off", async () => {
      expect((await get(`-H 'authorization: Bearer ${secret}' https://${plain}/`)).status).toBe(200);
      expect(upstream.requests.at(-1)!.headers).not.toHaveProperty("authorization");
    });

    test("a host passed through is not opened: its own certificate reaches the agent", async () => {
      const issuer = async (host: string) => (await execIn(agent, `curl -sv https://${host}/ 2>&1 | grep -i 'issuer:'`)).stdout;
      expect(await issuer(passed)).toContain("bottle test CA");
      expect(await issuer(plain)).toMatch(/bottle traffic (pipelock|egress)/);
    });
  });

  describe("no other way out", () => {
    const reach = async (address: string, port: number) => (await execIn(agent, `timeout 3 bash -c 'exec 3<>/dev/tcp/${address}/${port}' 2>/dev/null && echo reached || echo not`)).stdout.trim();

    test("raw TCP to the outside, the metadata service, the host and other networks' gateways", async () => {
      const { stdout } = await execIn(agent, "cat /proc/net/route");
      expect(stdout).not.toMatch(/^\S+\t00000000\t/m);
      const bridge = await ok("docker", ["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge"]);
      const gateways = await Promise.all(
        ["internal", "transit", "egress"].map((role) => ok("docker", ["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", `${stack.identity.composeProject}-${role}`])),
      );
      const base = gateways[1]!.slice(0, gateways[1]!.lastIndexOf(".") + 1);
      const pipelock = `${base}${Number(gateways[1]!.split(".")[3]) + 1}`;
      // The test upstream listens on every address of this machine.
      const targets: [string, number][] = [["1.1.1.1", 443], ["169.254.169.254", 80], ...[bridge, ...gateways].map((address) => [address, upstream.httpPort] as [string, number]), [pipelock, 8080], [named!.address, 443]];
      const reached = await Promise.all(targets.map(async ([address, port]) => `${address}:${port} ${await reach(address, port)}`));
      expect(reached).toEqual(targets.map(([address, port]) => `${address}:${port} not`));
      expect(await reach("proxy", 8080)).toBe("reached"); // the check itself can see
    });

    test("names of the outside, of the host and of other networks do not resolve", async () => {
      const { stdout } = await execIn(agent, `for name in one.one.one.one example.com ${plain} ${named!.container} pipelock host.docker.internal; do getent hosts $name && echo "$name resolved"; done; getent hosts proxy`);
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\.\d+\s+proxy\n$/);
    });

    test("without the proxy's variables nothing is reached", async () => {
      const { stdout } = await execIn(agent, `env -u HTTPS_PROXY -u https_proxy -u HTTP_PROXY -u http_proxy curl -s --max-time 5 -o /dev/null -w '%{http_code}' https://${plain}/ --resolve ${plain}:443:${named!.address}`);
      expect(stdout).toBe("000");
    });

    test("the proxy chain itself leads neither to the host, the metadata service nor the sidecars", async () => {
      for (const url of ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:9090/metrics", "http://localhost/", "http://pipelock:8080/", `http://${named!.address}/`]) {
        expect((await get(`--noproxy '' ${url}`)).status, url).toBe(403);
      }
    });
  });
});
