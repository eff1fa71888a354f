// Class 6: the tokens that egress puts on, and the authorities' keys.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { escaped, held, Skip, type Attempt, type Seen } from "../attempt.ts";
import { bytes, curl, probe, sh, type Tokens } from "../lab.ts";
import { names } from "../outside.ts";
import { sources } from "../sources.ts";
import { ok, run } from "../../lib/run.ts";
import { noRealToken } from "./5-data.ts";

/** The forms in which a token could be found, besides itself: base64 (wherever it begins), hex. */
function forms(token: string): string[] {
  const middle = [0, 1, 2].map((shift) => Buffer.concat([Buffer.alloc(shift), Buffer.from(token)]).toString("base64").replace(/=+$/, "").slice(shift === 0 ? 0 : 4, -2));
  return [token, ...middle, Buffer.from(token).toString("hex")];
}

const all = (tokens: Tokens) => Object.entries(tokens) as [string, string][];

/** Which tokens a text holds. */
function found(tokens: Tokens, text: string | Buffer): string[] {
  const content = Buffer.from(text);
  return all(tokens).filter(([, token]) => forms(token).some((form) => content.includes(form))).map(([name]) => name);
}

function holdsNone(tokens: Tokens, places: Readonly<Record<string, string | Buffer>>): Seen {
  const bad = Object.entries(places).flatMap(([place, text]) => found(tokens, text).map((name) => `${name} in ${place}`));
  return bad.length > 0 ? escaped(bad.join(", ")) : held(`none in ${Object.entries(places).map(([place, text]) => `${place} (${text.length} bytes)`).join(", ").slice(0, 150)}`);
}

export const credentials: Attempt[] = [
  {
    id: "6.environment",
    class: 6,
    what: "the environment and arguments of every process that the agent can see",
    source: sources.credentialProxy,
    must: "hold placeholders alone",
    try: async ({ bottle, tokens }) => holdsNone(tokens, { env: (await sh(bottle, "env")).out, "/proc": (await sh(bottle, "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'")).out }),
  },
  {
    id: "6.memory",
    class: 6,
    what: "the memory of every process that the agent can read",
    source: sources.whereTokensLeak,
    must: "hold no token",
    try: async ({ bottle, tokens }) => {
      const script = `
import os, re, sys
needles = [n.encode() for n in sys.argv[1:]]
hits, read = [], 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid(): continue
    try:
        maps = open(f"/proc/{pid}/maps").read().splitlines(); memory = open(f"/proc/{pid}/mem", "rb", 0)
    except OSError: continue
    for line in maps:
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
        if not m: continue
        a, b = (int(x, 16) for x in m.groups())
        if b - a > 1 << 28: continue
        try: memory.seek(a); data = memory.read(b - a)
        except (OSError, ValueError, OverflowError): continue
        read += len(data)
        hits += [pid for n in needles if n[4:] in data and n[4:] not in open(f"/proc/{pid}/cmdline","rb").read()]
print(len(hits), read)`;
      // Without its first letters, so that the search does not find what it was told to look for.
      const { out, error } = await sh(bottle, `python3 - ${all(tokens).map(([, token]) => `XXXX${token.slice(4)}`).join(" ")}`, { input: script });
      const [hits, read] = out.split(" ").map(Number) as [number, number];
      if (!(read > 0)) throw new Error(`no memory was read: ${out} ${error}`);
      return hits > 0 ? escaped(`${hits} times`) : held(`none in ${Math.round(read / 2 ** 20)} MiB`);
    },
  },
  {
    id: "6.files",
    class: 6,
    what: "every file that the agent can read",
    source: sources.credentialProxy,
    must: "hold no token",
    try: async ({ bottle, tokens }) => {
      const { out } = await sh(bottle, `grep -rlFs --exclude-dir=proc --exclude-dir=sys ${all(tokens).map(([, token]) => `-e '${token.slice(1)}'`).join(" ")} / 2>/dev/null; true`, { timeout: 120_000 });
      return out !== "" ? escaped(out.replaceAll("\n", ", ")) : held("none");
    },
  },
  {
    id: "6.mounts",
    class: 6,
    what: "what is mounted: folders of secrets, state, sidecars' files, the project",
    source: sources.own,
    must: "be the CA bundle, home and workspace alone",
    try: async ({ bottle }) => {
      const { out } = await sh(bottle, "awk '{print $2}' /proc/mounts; find / -xdev \\( -name 'Pulumi*.yaml' -o -name pipelock.yaml -o -name rules.yaml -o -name gate.json -o -name docker-compose.yml \\) 2>/dev/null; find /host /run/tokens /run/secrets -maxdepth 2 2>/dev/null");
      const odd = out.split("\n").filter((path) => /tokens|secret|pipelock|rules\.yaml|Pulumi|metadata\.json|docker-compose|^\/host|gate\.json/.test(path));
      return odd.length > 0 ? escaped([...new Set(odd)].slice(0, 5).join(", ")) : held(`${new Set(out.split("\n")).size} mounts, none of them`);
    },
  },
  {
    id: "6.authority-keys",
    class: 6,
    what: "private keys of the bottle's authorities, with which any host could be forged",
    source: sources.own,
    must: "be in no file of the agent's",
    try: async ({ bottle }) => {
      const { out } = await sh(bottle, "for f in $(grep -rlFs --exclude-dir=proc --exclude-dir=sys -e 'BEGIN EC PRIVATE KEY' -e 'BEGIN PRIVATE KEY' /etc /home /workspace /run /tmp /var /host 2>/dev/null); do grep -qs 'MHcCAQEE\\|BEGIN EC PRIVATE KEY-----$' $f && echo $f; done; true", { timeout: 120_000 });
      const odd = out.split("\n").filter((path) => path !== "" && !/\/(node_modules|python3|site-packages|doc)\//.test(path));
      return odd.length > 0 ? escaped(odd.slice(0, 3).join(", ")) : held("none");
    },
  },
  {
    id: "6.ask-egress",
    class: 6,
    what: "egress asked for its own files and pages: tokens, rules, status, path traversal",
    source: sources.own,
    must: "give none away",
    try: async ({ bottle, tokens }) => {
      const targets = ["/run/tokens/CONTAIN_API_TOKEN", "/../../run/tokens/CONTAIN_API_TOKEN", "/etc/bottle/rules/rules.yaml", "/status.json", "/run/egress/status.json", "/metrics", "/debug", "/", "file:///run/tokens/CONTAIN_API_TOKEN", "/healthz"];
      const answers = await Promise.all(targets.map((target) => probe(bottle, "proxy", { send: bytes([`GET ${target} HTTP/1.1`, "Host: proxy:8080"]), seconds: 4 })));
      const health = await probe(bottle, "proxy", { send: bytes(["GET /healthz HTTP/1.0"]), seconds: 4 });
      const successes = targets.filter((_, index) => answers[index]!.status === 200);
      if (successes.length > 0) return escaped(`answers ${successes.join(", ")}`);
      return holdsNone(tokens, { "its answers": [...answers, health].map(({ text }) => text).join("\n") });
    },
  },
  {
    id: "6.refusals",
    class: 6,
    what: "refusals of every kind at the route that has a credential",
    source: sources.whereTokensLeak,
    must: "not quote it",
    try: async ({ bottle, tokens }) => {
      const asked = [`-X DELETE https://${names.api}/v1/x`, `https://${names.api}/v2/x`, `http://${names.api}/v1/x`, `-H 'Host: x' https://${names.api}/v1/x`, `https://${names.api}:8443/v1/x`, `--http0.9 -X TRACE https://${names.api}/v1/x`];
      const answers = await Promise.all(asked.map((args) => curl(bottle, `-i ${args}`)));
      return holdsNone(tokens, { refusals: answers.map(({ body, error }) => body + error).join("\n") });
    },
  },
  {
    id: "6.redirect",
    class: 6,
    what: "a redirect from the route's host to another allowed host, followed with all headers",
    source: sources.redirectSsrf,
    must: "take no credential along",
    try: async (lab) => noRealToken(lab, async () => void (await curl(lab.bottle, `-L --location-trusted 'https://${names.api}/v1/x?location=${encodeURIComponent(`https://${names.files}/redirected`)}'`), await curl(lab.bottle, `-L --location-trusted https://${names.files}/redirected`))),
  },
  {
    id: "6.other-host",
    class: 6,
    what: "the credential asked for at another host: by Host, SNI, port, plain http, absolute URL",
    source: sources.plaintextInjection,
    must: "go to its own host over TLS alone",
    try: async (lab) =>
      noRealToken(lab, async () => {
        const raw = (connect: string, sni: string, host: string, tls = true) => probe(lab.bottle, "tunnel", { connect, sni, tls, send: bytes([`GET /v1/other HTTP/1.1`, `Host: ${host}`, "Connection: close"]) });
        await Promise.all([
          raw(`${names.files}:443`, names.files, names.api),
          raw(`${names.docs}:443`, names.docs, names.api),
          raw(`${names.repo}:443`, names.repo, names.api),
          raw(`${names.api}:443`, names.api, names.files),
          raw(`${names.api}:80`, names.api, names.api, false),
          raw(`${names.api}:8443`, names.api, names.api),
        ]);
        await probe(lab.bottle, "proxy", { send: bytes([`GET http://${names.files}/other HTTP/1.1`, `Host: ${names.api}`]) });
      }),
  },
  {
    id: "6.own-header",
    class: 6,
    what: "the agent's own values beside the credential: look-alike names, repeated headers, Connection: x-api-key",
    source: sources.exactHeader,
    must: "be taken off; exactly the credential arrives",
    try: async (lab, marker) => {
      const { status } = await probe(lab.bottle, "tunnel", {
        connect: `${names.api}:443`,
        sni: names.api,
        send: bytes([`GET /v1/own HTTP/1.1`, `Host: ${names.api}`, "Connection: close, x-api-key", `X_Api_Key: ${marker}`, `x-API-key: ${marker}`, `X-Api_Key: ${marker}`]),
      });
      const last = lab.outside.upstream.requests.filter(({ path }) => path === "/v1/own").at(-1);
      if (status !== 200) return held(`refused: ${status}`);
      return last?.headers["x-api-key"] === lab.tokens.api ? held("the credential alone") : escaped(`x-api-key: ${last?.headers["x-api-key"] === undefined ? "missing" : "not the credential"}`);
    },
  },
  {
    id: "6.echo",
    class: 6,
    what: "a host that sends back what it was sent, header and all",
    source: sources.crossProvider,
    must: "show the token: its host has it",
    byDesign: "A credential is known to the host it is for, and a host (or a page on it) that echoes requests tells the agent. Put credentials on hosts that do not, and hold the route to paths that do not.",
    try: async ({ bottle, tokens }) => {
      const { body } = await curl(bottle, `https://${names.api}/v1/echo`);
      return found(tokens, body).length > 0 ? escaped("the answer holds it") : held("not echoed");
    },
  },
  {
    id: "6.logs",
    class: 6,
    what: "the containers' logs, arguments and configuration, as anybody with `docker` sees them",
    source: sources.whereTokensLeak,
    must: "hold no token",
    try: async ({ bottle, tokens }) => {
      const ids = (await ok("docker", ["ps", "--quiet", "--filter", `label=bottle.instance=${bottle.identity.instance}`])).split("\n");
      const places: Record<string, string> = { "docker inspect": await ok("docker", ["inspect", ...ids]) };
      for (const id of ids) {
        const { stdout, stderr } = await run("docker", ["logs", id]);
        places["docker logs"] = (places["docker logs"] ?? "") + stdout + stderr;
        places["docker top"] = (places["docker top"] ?? "") + (await ok("docker", ["top", id, "-eo", "pid,args"]));
      }
      return holdsNone(tokens, places);
    },
  },
  {
    id: "6.state",
    class: 6,
    what: "every file of the project: Pulumi's state and history, the bottle's folder, its stack file",
    source: sources.own,
    must: "hold no token",
    try: async ({ bottle, tokens }) => {
      const folder = join(bottle.state, "../..");
      const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((name) => !name.startsWith("node_modules") && !name.startsWith("sockets"))
        .map((name) => join(folder, name))
        .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
      const content = Buffer.concat(files.map((path) => readFileSync(path)));
      if (bottle.form === "pulumi" && !files.some((path) => path.includes("/.pulumi/stacks/"))) throw new Error("Pulumi's state is not where it was looked for");
      return holdsNone(tokens, { [`${files.length} files`]: content });
    },
  },
  {
    id: "6.memory-folder",
    class: 6,
    what: "the folder in memory that holds the tokens, seen by other users of the machine",
    source: sources.whereTokensLeak,
    must: "be closed to them (0700, files 0600)",
    try: async ({ bottle }) => {
      const uid = process.getuid?.() ?? -1;
      const folder = [`/run/user/${uid}`, "/dev/shm"].map((parent) => join(parent, `bottle-${uid}`, bottle.identity.instance)).find((path) => statSync(path, { throwIfNoEntry: false }));
      if (folder === undefined) throw new Skip("this machine has no folder in memory");
      const modes = [folder, ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name))].map((path) => [path, statSync(path).mode & 0o777] as const);
      const open = modes.filter(([path, mode]) => (mode & 0o077) !== 0 && !path.endsWith("docker.sock"));
      return open.length > 0 ? escaped(open.map(([path, mode]) => `${path} ${mode.toString(8)}`).join(", ")) : held(`${modes.length} entries`);
    },
  },
  {
    id: "6.claude",
    class: 6,
    what: "Claude Code's own request, with its placeholder",
    source: sources.credentialProxy,
    must: "arrive with the key, which the agent never had",
    try: async ({ bottle, outside, tokens }) => {
      await sh(bottle, `cd /tmp && CLAUDE_CODE_MAX_RETRIES=0 API_TIMEOUT_MS=6000 timeout 25 claude -p hello --model haiku </dev/null`);
      const asked = outside.upstream.requests.filter(({ headers }) => headers["host"] === names.claude);
      if (asked.length === 0) throw new Error("Claude Code asked nothing");
      const bare = asked.filter(({ headers }) => headers["x-api-key"] !== tokens.claude);
      return bare.length > 0 ? escaped(`${bare.length} of ${asked.length} requests without the key`) : held(`${asked.length} requests, each with the key`);
    },
  },
];

