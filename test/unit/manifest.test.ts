import { describe, expect, it } from "vitest";
import { ManifestError, readManifest } from "../../components/manifest/manifest.ts";
import { faultsOf, type Config } from "./fixtures.ts";

const host = "api.example.com";
const network = (value: object): Config => ({ network: value });
const route = (value: object): Config => network({ routes: [{ host, ...value }] });
const agent = (value: object): Config => ({ agent: value });
const R = "bottle:network.routes[0]";
const aGlob = "write an absolute path such as /v1/messages, /v1/* (one segment) or /v1/** (any depth)";

describe("one fault", () => {
  it.each<[Config, string]>([
    // Keys and types
    [{ agnt: {} }, 'bottle: unknown key "agnt"; known here: agent, network, git, supervise, trust, images'],
    [agent({ promt: "x" }), 'bottle:agent: unknown key "promt"; known here: preset, image, build, workspace, prompt, skills, env, inheritEnv, limits, filesystem, user, runtime, claude'],
    [route({ metods: ["GET"] }), `${R}: unknown key "metods"; known here: name, host, scheme, port, methods, paths, query, websocket, inspect, private, auth, expires`],
    [{ agent: null }, "bottle:agent: is empty; give a mapping"],
    [{ agent: "claude" }, "bottle:agent: is a string; give a mapping"],
    [network({ hosts: host }), "bottle:network.hosts: is a string; give a list"],
    [network({ hosts: [1] }), "bottle:network.hosts[0]: is a number; give a string or a mapping"],
    [network({ hosts: [null] }), "bottle:network.hosts[0]: is empty; give a string or a mapping"],
    // As Pulumi hands on a bare 2099-01-01T10:00:00+02:00.
    [network({ hosts: [{ host, expires: "2099-01-01 10:00:00 +0200 +0200" }] }), 'bottle:network.hosts[0].expires: "2099-01-01 10:00:00 +0200 +0200" is not a time; write it in UTC and in quotes: "2026-11-25T10:00:00Z"'],
    [network({ hosts: [{}] }), "bottle:network.hosts[0].host: is missing; give a string"],
    [network({ routes: [{}] }), `${R}.host: is missing; give a string`],
    [route({ websocket: "yes" }), `${R}.websocket: is a string; give true or false`],
    [route({ inspect: 1 }), `${R}.inspect: is a number; give true or false`],
    [agent({ limits: { cpus: "2" } }), "bottle:agent.limits.cpus: is a string; give a number"],
    [agent({ limits: { cpus: 0 } }), "bottle:agent.limits.cpus: is too small; give more than 0"],
    [agent({ limits: { pids: 15 } }), "bottle:agent.limits.pids: is too small; give 16 or more"],
    [agent({ limits: { pids: 20.5 } }), "bottle:agent.limits.pids: is not a whole number; give one"],
    [agent({ limits: { memory: "4" } }), 'bottle:agent.limits.memory: "4" is not an amount of memory; write it as 512m or 4g'],
    [agent({ claude: { login: "key" } }), 'bottle:agent.claude.login: is none of "api-key", "subscription", "none"; give one of them'],
    [agent({ claude: { version: "latest" } }), 'bottle:agent.claude.version: "latest" is not a Claude Code version such as 2.1.331'],
    [agent({ filesystem: "rw" }), 'bottle:agent.filesystem: is none of "read-only", "writable"; give one of them'],
    [agent({ workspace: { seed: 1.5 } }), "bottle:agent.workspace.seed: is a number; give a string or a whole number"],
    [network({ packages: ["cargo"] }), 'bottle:network.packages[0]: is none of "npm", "pip", "apt"; give one of them'],
    [network({ proxy: "http://proxy.example.com" }), 'bottle:network.proxy: can only be "direct"'],
    [{ images: { base: "" } }, 'bottle:images.base: "" is not an image\'s name; write it as name:tag or name@sha256:…'],
    [agent({ image: "--privileged" }), 'bottle:agent.image: "--privileged" is not an image\'s name; write it as name:tag or name@sha256:…'],
    [agent({ runtime: "" }), "bottle:agent.runtime: is empty; give a text, or leave the key out"],
    [agent({ prompt: " " }), 'bottle:agent.prompt: " " is empty; give a path, relative to the Pulumi project or absolute'],
    [{ trust: { caFiles: [""] } }, 'bottle:trust.caFiles[0]: "" is empty; give a path, relative to the Pulumi project or absolute'],
    // Agent
    [agent({ preset: "claude", image: "x" }), "bottle:agent: has preset and image; keep one of preset, image, build"],
    [agent({ image: "x", build: { context: "." } }), "bottle:agent: has image and build; keep one of preset, image, build"],
    [agent({ workspace: { mode: "mount" } }), 'bottle:agent.workspace.mode: is "mount" without a path; add workspace.path, or set mode: none'],
    [agent({ user: 0 }), "bottle:agent.user: is 0 on a read-only root; set filesystem: writable too, or leave user out"],
    [agent({ env: { "MY-VAR": "x" } }), "bottle:agent.env.MY-VAR: is not a variable's name; use letters, digits and _"],
    [agent({ env: { "A B": "x" } }), `bottle:agent.env["A B"]: is not a variable's name; use letters, digits and _`],
    [agent({ env: { PORT: 1 } }), "bottle:agent.env.PORT: is a number; give a string"],
    [agent({ env: { https_proxy: "" } }), "bottle:agent.env.https_proxy: is set by bottle itself; remove it"],
    [agent({ inheritEnv: ["HOME"] }), "bottle:agent.inheritEnv[0]: HOME is set by bottle itself; remove it"],
    [agent({ inheritEnv: ["A"], env: { A: "x" } }), "bottle:agent.inheritEnv[0]: A is also in agent.env; keep one"],
    [agent({ inheritEnv: ["LANG", "ANTHROPIC_API_KEY"] }), 'bottle:agent.inheritEnv[1]: ANTHROPIC_API_KEY is the token of route "claude" and may not enter the agent too; remove it here'],
    // Routes
    [route({ scheme: "ftp" }), `${R}.scheme: is none of "https", "http"; give one of them`],
    [route({ port: 0 }), `${R}.port: is too small; give 1 or more`],
    [route({ port: 65536 }), `${R}.port: is too large; give 65535 or less`],
    [route({ name: "My API" }), `${R}.name: "My API" is not a route name; use a-z, 0-9 and -, at most 63`],
    [route({ methods: [] }), `${R}.methods: is an empty list; name at least one, or leave the key out`],
    [route({ methods: ["get"] }), `${R}.methods[0]: "get" is not a method; write it in upper case, such as GET`],
    [route({ paths: [] }), `${R}.paths: is an empty list; name at least one, or leave the key out`],
    [route({ query: { "": "x" } }), `${R}.query[""]: is an empty parameter name; name the parameter`],
    [route({ query: { page: 1 } }), `${R}.query.page: is a number; give a string`],
    [route({ websocket: true }), `${R}.websocket: pipelock refuses WebSockets on inspected hosts; add inspect: false, or remove websocket`],
    [network({ hosts: [host, host] }), `bottle:network.hosts[1]: "${host}" is there already as hosts[0]; remove one`],
    [network({ hosts: [host], routes: [{ host }] }), `${R}.host: "${host}" is also in hosts[0], which would allow it as a whole; keep one of the two`],
    [
      network({ routes: [{ host, methods: ["GET", "PUT"], query: { a: "1", b: "2" } }, { host, methods: ["PUT", "GET"], query: { b: "2", a: "1" } }] }),
      `bottle:network.routes[1]: matches just what routes[0] matches ("${host}"); remove one, or tell them apart by methods, paths or query`,
    ],
    [network({ routes: [{ host, name: "a" }, { host: "b.example.com", name: "a" }] }), 'bottle:network.routes[1].name: "a" is the name of routes[0] too; choose another'],
    [
      network({ routes: [{ host, inspect: false, paths: ["/a"] }, { host, inspect: true }] }),
      `bottle:network.routes[1].inspect: "${host}" is to be inspected, but pipelock decides by host and passes "${host}" (routes[0]) through; set inspect: false here, or inspect: true there`,
    ],
    [
      network({ hosts: [{ host: "*.example.com", inspect: false }], routes: [{ host }] }),
      `${R}.inspect: "${host}" is to be inspected, but pipelock decides by host and passes "*.example.com" (hosts[0]) through; set inspect: false here, or inspect: true there`,
    ],
    [
      network({ hosts: ["example.com", { host: "*.example.com", inspect: false }] }),
      'bottle:network.hosts[0].inspect: "example.com" is to be inspected, but pipelock decides by host and passes "*.example.com" (hosts[1]) through; set inspect: false here, or inspect: true there',
    ],
    // Credentials
    [route({ auth: {} }), `${R}.auth: needs exactly one of variable (a host variable's name) and secret (a Pulumi secret)`],
    [route({ auth: { variable: "A", secret: "s" } }), `${R}.auth: needs exactly one of variable (a host variable's name) and secret (a Pulumi secret)`],
    [route({ auth: { secret: "" } }), `${R}.auth.secret: is empty; give a text, or leave the key out`],
    [route({ auth: { variable: "my token" } }), `${R}.auth.variable: the value is not a variable's name; write the name only, such as GITHUB_TOKEN, never its value`],
    [
      route({ auth: { variable: "ghp_aB3dE6gH9jK2mN5pQ8" } }),
      `${R}.auth.variable: the value looks like a token itself; write its variable's name only, such as GITHUB_TOKEN, and revoke it where this file was shared`,
    ],
    [route({ auth: { variable: "A", scheme: "digest" } }), `${R}.auth.scheme: is none of "bearer", "basic", "raw"; give one of them`],
    [route({ auth: { variable: "A", scheme: "basic" } }), `${R}.auth: has scheme basic but no username; add username`],
    [route({ auth: { variable: "A", username: "u" } }), `${R}.auth: has a username, which scheme bearer has no place for; set scheme: basic, or remove username`],
    [route({ auth: { variable: "A", scheme: "basic", username: "u:v" } }), `${R}.auth.username: "u:v" is not a user name; use printable ASCII without a colon`],
    [route({ auth: { variable: "A", header: "x-api-key: abc" } }), `${R}.auth.header: the value is not a header's name; write the name only, such as x-api-key`],
    [route({ auth: { variable: "A", header: "Host" } }), `${R}.auth.header: the value is a header that frames the request; name the one the credential belongs in`],
    [route({ scheme: "http", auth: { variable: "A" } }), `${R}.auth: a credential on plain http would cross the network readable; remove auth, or set scheme: https`],
    [
      network({ routes: [{ host, name: "a-b", auth: { secret: "s" } }, { host: "b.example.com", auth: { variable: "secret_a_b" } }] }),
      'bottle:network.routes[1].auth.variable: secret_a_b is what bottle calls the secret of route "a-b"; give that route another name',
    ],
    // Addresses
    [network({ pool: "10.0.0.0" }), 'bottle:network.pool: "10.0.0.0" is not an IPv4 CIDR such as 10.192.0.0/12'],
    [network({ pool: "010.0.0.0/8" }), 'bottle:network.pool: "010.0.0.0/8" is not an IPv4 CIDR such as 10.192.0.0/12'],
    [network({ pool: "10.1.0.0/8" }), 'bottle:network.pool: "10.1.0.0/8" has bits set after its prefix; write 10.0.0.0/8'],
    [network({ pool: "10.0.0.0/27" }), 'bottle:network.pool: "10.0.0.0/27" is too small; a bottle needs a /26'],
    [network({ pool: "8.8.8.0/24" }), 'bottle:network.pool: "8.8.8.0/24" is not private; use a range inside 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10'],
    [network({ subnet: "192.168.1.0/24" }), 'bottle:network.subnet: "192.168.1.0/24" is not a /26; a bottle has exactly one /26'],
    [route({ private: ["127.0.0.0/8"] }), `${R}.private[0]: "127.0.0.0/8" is this machine itself; loopback is never allowed`],
    [route({ private: ["0.0.0.0/8"] }), `${R}.private[0]: "0.0.0.0/8" is this machine itself; loopback is never allowed`],
    [route({ private: ["169.254.169.254/32"] }), `${R}.private[0]: "169.254.169.254/32" holds the metadata service; link-local is never allowed`],
    [route({ private: ["169.0.0.0/8"] }), `${R}.private[0]: "169.0.0.0/8" holds the metadata service; link-local is never allowed`],
    [route({ private: ["0.0.0.0/0"] }), `${R}.private[0]: "0.0.0.0/0" is over-broad; give the range the host really lives in, /8 or narrower`],
    [route({ private: ["fd00::/8"] }), `${R}.private[0]: "fd00::/8" is not an IPv4 CIDR such as 10.192.0.0/12`],
  ])("%j", (config, fault) => {
    expect(faultsOf(config)).toEqual([fault]);
  });

  it.each([
    ["v1", `is not a path glob; ${aGlob}`],
    ["", `is not a path glob; ${aGlob}`],
    ["https://x/v1", `is not a path glob; ${aGlob}`],
    ["/a b", `holds a character that no canonical path has; ${aGlob}`],
    ["/a\\b", `holds a character that no canonical path has; ${aGlob}`],
    ["/a#b", `holds a character that no canonical path has; ${aGlob}`],
    ["/a?b=c", "holds a query; put it under query"],
    ["/100%", "has a % that begins no encoded byte; write %25 for the sign itself"],
    ["/a/../b", `has a dot segment; ${aGlob}`],
    ["/a/..;x/b", `has a dot segment; ${aGlob}`],
    ["/.", `has a dot segment; ${aGlob}`],
    ["/a//b", `has an empty segment; ${aGlob}`],
    ["/a/;x/b", `has an empty segment; ${aGlob}`],
    ["/a**", `has ** inside a segment; ${aGlob}`],
    ["/***", `has ** inside a segment; ${aGlob}`],
    ["/%2e%2e/a", `has an encoded dot or backslash, which no canonical path has; ${aGlob}`],
    ["/%252E", `has an encoded dot or backslash, which no canonical path has; ${aGlob}`],
    ["/%5c", `has an encoded dot or backslash, which no canonical path has; ${aGlob}`],
    ["/%00", `has an encoded control character, which no canonical path has; ${aGlob}`],
    ["/%252f", `has a slash encoded twice, which no canonical path has; ${aGlob}`],
    ["/caf%E9", "has encoded bytes that are not UTF-8; percent-encode the UTF-8 form"],
    ["/a…/b", `has a look-alike of a dot, slash, percent sign or semicolon; ${aGlob}`],
    ["/%EF%BC%8F", `has a look-alike of a dot, slash, percent sign or semicolon; ${aGlob}`],
    ["/%2525252541", `has an encoding many layers deep, which no canonical path has; ${aGlob}`],
  ])("path glob %j", (glob, fault) => {
    expect(faultsOf(route({ paths: [glob] }))).toEqual([`${R}.paths[0]: ${JSON.stringify(glob)} ${fault}`]);
  });

  it.each(["/", "/**", "/v1/*", "/v1/**/x", "/v1/", "/a*b", "/projects/group%2Fname/**", "/caf%C3%A9", "/café", "/a;b=1", "/a.b/...", "/@scope/*"])("is none in path glob %j", (glob) => {
    expect(faultsOf(route({ paths: [glob] }))).toEqual([]);
  });
});

describe("secrets", () => {
  const withSecret = network({ routes: [{ host }, { host, paths: ["/a"], auth: { secret: "s3cret" } }] });

  it("are refused in plain text", () => {
    expect(faultsOf(withSecret, () => false)).toEqual([
      "bottle:network.routes[1].auth.secret: is in plain text; set it with: pulumi config set --secret --path 'bottle:network.routes[1].auth.secret'",
    ]);
    expect(faultsOf(withSecret, (key) => key === "network")).toEqual([]);
  });

  it.each(["agent", "network", "git", "trust", "images"])("are refused in bottle:%s, where they would be written in plain text", (secret) => {
    const elsewhere = `bottle:${secret}: holds a Pulumi secret where its value would be written in plain text; only network.routes[N].auth.secret and git.upstreams[N].token.secret may be one`;
    expect(faultsOf({}, (key) => key === secret)).toEqual([elsewhere]);
  });
});

it("names every fault at once, in one message", () => {
  const config = { agent: { limits: { pids: 0 } }, network: { hosts: ["*", "*.com"], routes: [{ host: "localhost" }] } };
  expect(() => readManifest(config)).toThrow(
    new ManifestError([
      "bottle:agent.limits.pids: is too small; give 16 or more",
      'bottle:network.hosts[0]: "*" would allow every host; name the hosts',
      `bottle:network.hosts[1]: "*.com" is over-broad: anybody can have a name under "com"; name the hosts, or *.<one owner's domain>.com`,
      'bottle:network.routes[0].host: "localhost" has no dot: it would name this machine or a neighbour; give the full name',
    ]),
  );
  expect(new ManifestError(["a", "b"]).message).toBe("the manifest (stack config) has 2 faults:\n  - a\n  - b");
  expect(new ManifestError(["a"]).message).toBe("the manifest (stack config) has 1 fault:\n  - a");
});
