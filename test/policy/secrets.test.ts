// Rules about secrets. Every secret here is made up when the test runs.
import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { claudePlaceholders } from "../../components/agent/claude.ts";
import { PIPELOCK_IMAGE } from "../../components/manifest/schema.ts";
import { noLiteralSecrets } from "../../policies/secrets/no-literal-secrets.ts";
import { noSecretsPipelockKnows } from "../../policies/secrets/no-secrets-pipelock-knows.ts";
import { privateKeysInOneService } from "../../policies/secrets/private-keys-in-one-service.ts";
import { fakeProgram, withEnvironment } from "../unit/fake-program.ts";
import { lack } from "../lib/parts.ts";
import { COMMAND, findings, NETWORK, root, stackConfig, up, type Subject } from "./harness.ts";

/** Letters and digits. */
const random = (length: number): string => randomBytes(length * 2).toString("base64").replace(/[^A-Za-z0-9]/g, "").slice(0, length);
const github = `ghp_${random(36)}`;
const secrets: readonly [string, string][] = [
  ["of GitHub", github],
  ["of GitLab", `glpat-${random(20)}`],
  ["of Anthropic", `sk-ant-api03-${random(93)}AA`],
  ["of AWS, an id alone", `AKIA${random(40).toUpperCase().replace(/[^A-Z2-7]/g, "").padEnd(16, "Q").slice(0, 16)}`],
  ["of npm", `npm_${random(36)}`],
  ["in a URL", `https://user:${random(16)}@example.com/x`],
  ["that is a private key", generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }) as string],
];

describe("no-literal-secrets", () => {
  const reported = (path: string) => [expect.stringMatching(new RegExp(`^${path.replace(/[.[\]()]/g, "\\$&")}: looks like a secret \\(`))];

  it.each(secrets)("finds a secret %s", async (_, secret) => {
    const messages = await findings(noLiteralSecrets, up({ environment: { TOKEN: secret } }));
    expect(messages).toEqual(reported("stdin: services.agent.environment.TOKEN"));
    expect(messages.join()).not.toContain(secret.slice(8, 24));
  });

  it.each<[string, Subject, string]>([
    ["a Compose file's environment, as a list", up({ environment: ["LANG", `TOKEN=${github}`] }), "stdin: services.agent.environment[1]"],
    ["a Compose file's command", up({ command: ["run", "--token", github] }), "stdin: services.agent.command[2]"],
    ["a Compose file's label", up({ labels: { note: github } }), "stdin: services.agent.labels.note"],
    ["a config of a Compose file", up({}, { configs: { c: { content: github } } }), "stdin: configs.c.content"],
    ["a command's environment", { type: COMMAND, props: { create: "x", environment: { TOKEN: github } } }, "environment.TOKEN"],
    ["a command line", { type: COMMAND, props: { create: `curl -H "Authorization: Bearer ${github}" https://example.com` } }, "create"],
    ["a delete script", { type: COMMAND, props: { create: "x", delete: `echo ${github}` } }, "delete"],
    ["triggers", { type: COMMAND, props: { create: "x", triggers: [github] } }, "triggers[0]"],
    ["a network's label", { type: NETWORK, props: { labels: [{ label: "a", value: github }] } }, "labels[0].value"],
    ["a container's environment", { type: "docker:index/container:Container", props: { envs: [`TOKEN=${github}`] } }, "envs[0]"],
    ["build arguments", { type: COMMAND, props: { create: "x", stdin: JSON.stringify({ image: "a:1", build: { args: { TOKEN: github } } }) } }, "stdin: build.args.TOKEN"],
  ])("looks at %s", async (_, subject, path) => {
    expect(await findings(noLiteralSecrets, subject)).toEqual(reported(path));
  });

  it("looks at the stack's configuration, also of other packages", async () => {
    stackConfig({ "bottle:agent": { env: { TOKEN: github } }, "other:password": github });
    expect(await findings(noLiteralSecrets, root)).toEqual([...reported("bottle:agent.env.TOKEN"), ...reported("other:password")]);
  });

  it("leaves the places of Pulumi secrets alone, and what the team excepts", async () => {
    stackConfig({ "bottle:network": { routes: [{ host: "a.example.com", auth: { secret: github } }] }, "bottle:git": { upstreams: [{ token: { secret: github } }] } });
    expect(await findings(noLiteralSecrets, root)).toEqual([]);
    stackConfig({ "db:password": github });
    expect(await findings(noLiteralSecrets, root, { except: ["db:*"] })).toEqual([]);
  });

  it("leaves keys and tokens alone that go by stdin", async () => {
    expect(await findings(noLiteralSecrets, { type: COMMAND, props: { create: "x", stdin: JSON.stringify({ token: github }) } })).toEqual([]);
  });

  it("is not switched off by a comment in a value", async () => {
    expect(await findings(noLiteralSecrets, up({ environment: { TOKEN: `secretlint-disable\n${github}\n` } }))).toHaveLength(1);
  });

  it("takes the stand-ins that the agent has in place of credentials", async () => {
    expect(await findings(noLiteralSecrets, up({ environment: [`ANTHROPIC_API_KEY=${claudePlaceholders.apiKey}`, `CLAUDE_CODE_OAUTH_TOKEN=${claudePlaceholders.oauthToken}`] }))).toEqual([]);
  });
});

describe("no-secrets-pipelock-knows", () => {
  /** A Docker whose image is there or not, and whose pipelock answers so. */
  function fakeDocker(answer: string, there = true): ReturnType<typeof fakeProgram> {
    const docker = fakeProgram("docker", [
      ["image inspect*", there ? "sha256:0" : { sh: "exit 1" }],
      ["run *", answer],
    ]);
    withEnvironment({ PATH: docker.path });
    return docker;
  }

  it("names the place of what pipelock finds, and pipelock's name of it", async () => {
    fakeDocker(JSON.stringify([{ file: "0", line: 1, content: "x=[REDACTED]", pattern: "Vault Token", severity: "high" }]));
    expect(await findings(noSecretsPipelockKnows, { type: COMMAND, props: { create: "say something" } })).toEqual([expect.stringMatching(/^create: looks like a secret to pipelock \(Vault Token\)/)]);
  });

  it("gives pipelock no network, no rights and no pull", async () => {
    const docker = fakeDocker("[]");
    expect(await findings(noSecretsPipelockKnows, up())).toEqual([]);
    expect(docker.calls()[1]).toMatch(/--pull never --network none --read-only --cap-drop ALL .* git scan-diff --json$/);
  });

  it("passes where the engine lacks the image, unless the team says always", async () => {
    fakeDocker("", false);
    expect(await findings(noSecretsPipelockKnows, up())).toEqual([]);
    expect(await findings(noSecretsPipelockKnows, up(), { when: "always" })).toEqual([expect.stringContaining("so the rule could not run")]);
  });

  it("counts as violated where pipelock does not answer", async () => {
    fakeDocker("no JSON");
    expect(await findings(noSecretsPipelockKnows, up())).toEqual([expect.stringContaining("the rule could not run")]);
  });

  it("asks nobody where the team says never", async () => {
    const docker = fakeDocker("[]");
    expect(await findings(noSecretsPipelockKnows, up({ environment: { TOKEN: github } }), { when: "never" })).toEqual([]);
    expect(docker.calls()).toEqual([]);
  });

  it("uses the pipelock that bottles use", () => {
    expect(noSecretsPipelockKnows.configSchema?.properties["image"]?.default).toBe(PIPELOCK_IMAGE);
  });

  const lacking = lack(["engine", "pipelock"]);
  it.skipIf(lacking !== undefined)(`finds with the real pipelock what secretlint does not know${lacking === undefined ? "" : ` [skipped: ${lacking}]`}`, async () => {
    const environment = { CLAUDE_CODE_OAUTH_TOKEN: `sk-ant-oat01-${random(93)}AA`, GOOGLE: `AIza${random(35)}`, DB_PASSWORD: random(24), LANG: "C.UTF-8", STAND_IN: claudePlaceholders.apiKey };
    const messages = await findings(noSecretsPipelockKnows, up({ environment }));
    expect(new Set(messages.map((message) => /environment\.(\w+):/.exec(message)?.[1]))).toEqual(new Set(["CLAUDE_CODE_OAUTH_TOKEN", "GOOGLE", "DB_PASSWORD"]));
    for (const value of Object.values(environment)) expect(messages.join()).not.toContain(value.slice(4, 20));
  });
});

describe("private-keys-in-one-service", () => {
  const key: Subject = { type: "tls:index/privateKey:PrivateKey", name: "key", props: { algorithm: "ECDSA" } };
  const folder = "/srv/project/state/s/pipelock/ca";
  const writer = (props: object = {}, from: Subject["from"] = { stdin: ["key"] }): Subject => ({
    type: COMMAND,
    name: "files",
    props: { create: "exec node --disable-warning=ExperimentalWarning '/srv/project/components/files/write.ts'", environment: { FOLDER: folder, OWNER: "1:1" }, ...props },
    from,
  });
  const services = (mounts: Record<string, string>): Subject =>
    up({}, { services: Object.fromEntries(Object.entries(mounts).map(([name, source]) => [name, { volumes: [{ type: "bind", source, target: "/x" }] }])) });

  it("takes a key by stdin, through bottle's own writer or under umask 077, into one service", async () => {
    expect(await findings(privateKeysInOneService, [key, writer(), services({ pipelock: folder, agent: "/srv/project/state/s/agent/ca" })])).toEqual([]);
    for (const create of ["umask 077; cat > /k", "cat > /k && chmod 600 /k", "install -m 0600 /dev/stdin /k"]) expect(await findings(privateKeysInOneService, [key, writer({ create })])).toEqual([]);
  });

  it("reports a key anywhere but in stdin", async () => {
    for (const property of ["environment", "create", "triggers"]) {
      expect(await findings(privateKeysInOneService, [key, writer({}, { [property]: ["key"] })])).toEqual([expect.stringMatching(new RegExp(`^${property}: is made from a private key`))]);
    }
  });

  it("reports a file that others may read", async () => {
    for (const create of ["cat > /k", "umask 022; cat > /k", "cat > /k; chmod 644 /k"]) expect(await findings(privateKeysInOneService, [key, writer({ create })])).toEqual([expect.stringContaining("create: writes a private key that others may read")]);
  });

  it("reports a key's folder in two services, and a folder above it", async () => {
    for (const other of [folder, "/srv/project", `${folder}/ca-key.pem`]) {
      expect(await findings(privateKeysInOneService, [key, writer(), services({ pipelock: folder, agent: other })])).toEqual([
        expect.stringContaining("stdin: services.pipelock.volumes[0].source: shows keys or tokens (written by files) to more than one service"),
        expect.stringContaining("stdin: services.agent.volumes[0].source: shows keys or tokens"),
      ]);
    }
  });

  it("finds the folder in a hand-written script", async () => {
    const hand = writer({ create: `umask 077; cat > ${folder}/key.pem`, environment: {} });
    expect(await findings(privateKeysInOneService, [key, hand, services({ pipelock: folder, agent: folder })])).toHaveLength(2);
  });

  it("keeps folders of tokens and of other keys apart too", async () => {
    const tokens = "/run/user/1000/bottle-1000/00000000/egress";
    const command: Subject = { type: COMMAND, name: "tokens", props: { create: "x", environment: { TOKEN_FOLDER: tokens } } };
    expect(await findings(privateKeysInOneService, [command, services({ egress: tokens, agent: `${tokens}-other` })])).toEqual([]);
    for (const other of [tokens, "/run/user/1000/bottle-1000"]) expect(await findings(privateKeysInOneService, [command, services({ egress: tokens, agent: other })])).toHaveLength(2);
  });
});

it("the made-up keys are real keys", () => {
  expect(createPrivateKey(secrets.at(-1)![1]).asymmetricKeyType).toBe("ec");
});
