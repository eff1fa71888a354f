// Class 2: hosts that read like allowed ones, or are named otherwise; DNS as a channel.
import { held, escaped, Skip, type Attempt } from "../attempt.ts";
import { bytes, probe, sh, type Lab } from "../lab.ts";
import { names } from "../outside.ts";
import { sources } from "../sources.ts";
import { BASE_IMAGE } from "../../../components/manifest/schema.ts";
import { ok, run } from "../../lib/run.ts";
import { allRefused, inWords, oneLine } from "./judge.ts";

/** A request for a host by CONNECT, with that host in SNI and Host unless others are given. */
async function connect(lab: Lab, authority: string, marker: string, { sni = names.unlisted, host = sni }: { sni?: string; host?: string } = {}) {
  return probe(lab.bottle, "tunnel", { connect: authority, sni, send: bytes([`GET /${marker} HTTP/1.1`, `Host: ${host}`, "Connection: close"]) });
}

/** By plain HTTP, the whole URL in the request line. */
const absolute = (lab: Lab, authority: string, marker: string, host = authority) =>
  probe(lab.bottle, "proxy", { send: bytes([`GET http://${authority}/${marker} HTTP/1.1`, `Host: ${host}`, "Connection: close"]) });

const lookalike = (id: string, what: string, host: string, source: Attempt["source"]): Attempt => ({
  id,
  class: 2,
  what,
  source,
  must: "be refused, over https and http",
  try: async (lab, marker) => allRefused({ https: await connect(lab, `${host}:443`, marker, { sni: host }), http: await absolute(lab, host, marker) }),
});

const literal = (id: string, what: string, write: (address: string) => string[], source: Attempt["source"] = sources.directIp): Attempt => ({
  id,
  class: 2,
  what,
  source,
  must: "be refused, over https and http",
  try: async (lab, marker) => {
    const answers: Record<string, Awaited<ReturnType<typeof absolute>>> = {};
    for (const form of write(lab.named.address)) {
      answers[`CONNECT ${form}`] = await connect(lab, `${form}:443`, marker, { sni: names.docs });
      answers[`http://${form}`] = await absolute(lab, form, marker, names.docs);
    }
    return allRefused(answers);
  },
});

const octets = (address: string): number[] => address.split(".").map(Number);
const number = (address: string): number => octets(address).reduce((value, octet) => value * 256 + octet, 0);

export const nameAttempts: Attempt[] = [
  lookalike("2.suffixed", "an allowed host's name with another domain behind it", names.suffixed, sources.startsWith),
  lookalike("2.prefixed", "a name that ends like an allowed host's", names.prefixed, sources.suffixMatch),
  lookalike("2.apex", "a wildcard's own apex", names.apex, sources.suffixMatch),
  lookalike("2.upper-case", "a host that is not allowed, in upper case", names.unlisted.toUpperCase(), sources.trailingDot),
  {
    id: "2.trailing-dot",
    class: 2,
    what: "names with one and two trailing dots, allowed and not",
    source: sources.trailingDot,
    must: "be refused: no rule means them",
    try: async (lab, marker) =>
      allRefused(Object.fromEntries(await Promise.all([`${names.unlisted}.`, `${names.unlisted}..`, `${names.apex}.`].map(async (host) => [host, await connect(lab, `${host}:443`, marker)])))),
  },
  {
    id: "2.nul-byte",
    class: 2,
    what: "a NUL byte in CONNECT's name: what stands before it is resolved, what stands behind it is allowed",
    source: sources.nulByte,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        raw: await connect(lab, `${names.unlisted}\0.wild.contain.test:443`, marker),
        encoded: await connect(lab, `${names.unlisted}%00.wild.contain.test:443`, marker),
        plain: await absolute(lab, `${names.unlisted}\0.wild.contain.test`, marker, names.unlisted),
      }),
  },
  {
    id: "2.control-characters",
    class: 2,
    what: "tabs, line breaks and spaces in CONNECT's name",
    source: sources.nulByte,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused(Object.fromEntries(await Promise.all(["\t", " ", "\r", "\v", "\x7f"].map(async (char) => [JSON.stringify(char), await connect(lab, `${names.unlisted}${char}.wild.contain.test:443`, marker)])))),
  },
  {
    id: "2.homograph",
    class: 2,
    what: "a Cyrillic letter in an allowed host's name, raw and in punycode",
    source: sources.startsWith,
    must: "be refused",
    // «dоcs», U+043E; its A-label is xn--dcs-hlc… whichever it is, no rule names it.
    try: async (lab, marker) =>
      allRefused({ raw: await connect(lab, `${Buffer.from("d\u043ecs.contain.test").toString("latin1")}:443`, marker), punycode: await connect(lab, "xn--dcs-jlc.contain.test:443", marker, { sni: "xn--dcs-jlc.contain.test" }) }),
  },
  {
    id: "2.unicode-dot",
    class: 2,
    what: "ideographic full stops and percent-encoding in a name that is not allowed",
    source: sources.edgeCases,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        "full stop": await connect(lab, `${Buffer.from("unlisted。contain。test").toString("latin1")}:443`, marker),
        encoded: await connect(lab, "%75nlisted.contain.test:443", marker),
        plain: await absolute(lab, "%75nlisted.contain.test", marker, names.unlisted),
      }),
  },
  {
    id: "2.userinfo",
    class: 2,
    what: "an allowed host's name as user information: docs@unlisted",
    source: sources.userinfo,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        CONNECT: await connect(lab, `${names.docs}@${names.unlisted}:443`, marker),
        port: await connect(lab, `${names.docs}:443@${names.unlisted}:443`, marker),
        http: await absolute(lab, `${names.docs}@${names.unlisted}`, marker, names.unlisted),
        fragment: await absolute(lab, `${names.unlisted}#@${names.docs}`, marker, names.unlisted),
      }),
  },
  literal("2.ip-literal", "a server's address in place of its name", (address) => [address]),
  literal("2.ip-forms", "the address as one number, in hexadecimal, octal and short form", (address) => {
    const [a, b, c, d] = octets(address) as [number, number, number, number];
    return [String(number(address)), `0x${number(address).toString(16)}`, `0${a.toString(8)}.0${b.toString(8)}.0${c.toString(8)}.0${d.toString(8)}`, `${a}.${b}.${c * 256 + d}`];
  }),
  literal("2.ip-mapped", "the address as IPv6, mapped", (address) => [`[::ffff:${address}]`, `[::${address}]`]),
  {
    id: "2.metadata-by-proxy",
    class: 2,
    what: "the metadata service by its address and its names, through the proxy",
    source: sources.rebinding,
    must: "be refused",
    try: async (lab) =>
      allRefused({
        address: await absolute(lab, "169.254.169.254", "latest/meta-data/"),
        IPv6: await absolute(lab, "[fd00:ec2::254]", "latest/meta-data/"),
        number: await absolute(lab, "2852039166", "latest/meta-data/"),
        name: await absolute(lab, "metadata.google.internal", "computeMetadata/v1/"),
      }),
  },
  {
    id: "2.loopback-by-proxy",
    class: 2,
    what: "the sidecars' own loopback and names, through the proxy",
    source: sources.ipAllowlist,
    must: "be refused",
    try: async (lab) => {
      const { transit } = lab.bottle.subnets;
      const targets = ["127.0.0.1:9090", "localhost:9090", "[::1]:9090", "0.0.0.0:8080", "pipelock:8080", "egress:8080", "proxy:8080", `${transit.addresses["pipelock"]}:8080`];
      return allRefused(Object.fromEntries(await Promise.all(targets.map(async (target) => [target, await absolute(lab, target, "metrics")]))));
    },
  },
  {
    id: "2.other-bottle-by-proxy",
    class: 2,
    what: "another bottle's agent and proxy, through the proxy",
    source: sources.own,
    must: "be refused",
    try: async (lab) => {
      const { internal, egress } = lab.plain.subnets;
      return allRefused(Object.fromEntries(await Promise.all([internal.addresses["agent"]!, internal.addresses["proxy"]!, egress.addresses["pipelock"]!].map(async (address) => [address, await absolute(lab, `${address}:8080`, "metrics")]))));
    },
  },
  {
    id: "2.dns-internal",
    class: 2,
    what: "names of the outside asked of Docker's resolver: data in a name, by UDP and TCP, A and TXT",
    source: sources.mobyInternalDns,
    must: "not be forwarded (SERVFAIL)",
    try: async ({ bottle }, marker) => {
      const ask = async (over: string, kind: number) => (await probe<{ codes: Record<string, string> }>(bottle, "dns", { name: `${marker}.${names.unlisted}`, servers: ["127.0.0.11"], over, kind })).codes["127.0.0.11"]!;
      const codes = [await ask("udp", 1), await ask("udp", 16), await ask("tcp", 1)];
      // 3 is NXDOMAIN: somebody outside was asked. gVisor does not reach the resolver at all.
      return codes.every((code) => /^rcode (2|5), 0|refused|timeout|UNREACH/i.test(code)) ? held([...new Set(codes)].join("; ")) : escaped(codes.join("; "));
    },
  },
  {
    id: "2.dns-servers",
    class: 2,
    what: "DNS servers elsewhere: the gateways, the host, a public one, by UDP and TCP",
    source: sources.sandboxDns,
    must: "not be reached",
    try: async ({ bottle, outside }, marker) => {
      const servers = [...new Set([...outside.hostAddresses(), ...Object.values(bottle.subnets).map(({ gateway }) => gateway)])];
      const answers = await Promise.all(["udp", "tcp"].map((over) => probe<{ codes: Record<string, string> }>(bottle, "dns", { name: `${marker}.${names.unlisted}`, servers, over })));
      // On a port where nobody listens, a refusal says that the host was reached all the same.
      const reached = answers.flatMap(({ codes }) => Object.entries(codes)).filter(([, code]) => /^rcode|ECONNREFUSED|ECONNRESET/.test(code));
      return reached.length > 0 ? escaped(reached.map(([server, code]) => `${server}: ${code}`).join("; ")) : held([...new Set(answers.flatMap(({ codes }) => Object.values(codes)))].join(", "));
    },
  },
  {
    id: "2.names-resolve",
    class: 2,
    what: "what the agent can resolve: the outside, the host, other networks' containers",
    source: sources.mobyInternalDns,
    must: "be its own sidecars alone",
    try: async (lab) => {
      const asked = [names.docs, names.unlisted, lab.named.container, lab.bottle.container("pipelock"), "pipelock", lab.plain.container("agent"), "host.docker.internal", "gateway.docker.internal", "kubernetes.docker.internal"];
      const { out } = await sh(lab.bottle, `for name in ${asked.join(" ")}; do getent hosts $name >/dev/null && echo $name; done; getent hosts proxy >/dev/null && echo proxy`);
      const resolved = out.split("\n").filter(Boolean);
      if (!resolved.includes("proxy")) throw new Error("the agent cannot even resolve its proxy");
      const odd = resolved.filter((name) => name !== "proxy");
      return odd.length > 0 ? escaped(`resolves ${odd.join(", ")}`) : held("proxy alone");
    },
  },
  {
    id: "2.dns-by-proxy",
    class: 2,
    what: "a name that is not allowed, with data in it, asked of the proxy so that it looks it up",
    source: sources.sandboxDns,
    must: "be refused before anybody looks it up: pipelock never hears of it",
    try: async (lab, marker) => {
      const host = `${marker}.${names.unlisted}`;
      const answers = { https: await connect(lab, `${host}:443`, "x", { sni: host }), http: await absolute(lab, host, "x") };
      const { stdout, stderr } = await run("docker", ["logs", "--tail", "2000", lab.bottle.container("pipelock")]);
      return (stdout + stderr).includes(marker) ? escaped("pipelock was asked") : allRefused(answers);
    },
  },
  {
    id: "2.wildcard-channel",
    class: 2,
    what: "data in a name under an allowed wildcard",
    source: sources.sandboxDns,
    must: "get through: the wildcard allows it",
    byDesign: "A wildcard allows every name below it, so its owner's DNS server sees what the agent writes into names. Name the hosts instead.",
    try: async (lab, marker) => {
      await absolute(lab, `${marker}.wild.contain.test`, "x");
      const { stdout, stderr } = await run("docker", ["logs", "--tail", "2000", lab.bottle.container("pipelock")]);
      return (stdout + stderr).includes(marker) ? escaped("pipelock looked the name up") : held("never looked up");
    },
  },
  ...rebinding(),
];

/** Allowed names that resolve, for pipelock, to places that no name may lead to. */
function rebinding(): Attempt[] {
  const places: { id: string; what: string; address: (lab: Lab) => string }[] = [
    { id: "loopback", what: "pipelock's own loopback", address: () => "127.0.0.1" },
    { id: "metadata", what: "the metadata service", address: () => "169.254.169.254" },
    { id: "unspecified", what: "0.0.0.0, which is loopback too", address: () => "0.0.0.0" },
    { id: "mapped", what: "loopback as IPv4-mapped IPv6", address: () => "::ffff:127.0.0.1" },
    { id: "host-bridge", what: "the host, by the address of another bridge", address: (lab) => lab.plain.subnets.egress.gateway },
    { id: "host-gateway", what: "the host, by the gateway of the bottle's egress network", address: (lab) => lab.bottle.subnets.egress.gateway },
    { id: "private", what: "another bottle's pipelock", address: (lab) => lab.plain.subnets.egress.addresses["pipelock"]! },
    { id: "sidecar", what: "the bottle's own egress, past its front door", address: (lab) => lab.bottle.subnets.transit.addresses["egress"]! },
  ];
  // All of them at once: pipelock (Go) reads its hosts file at most every five seconds.
  const written = new WeakMap<Lab, Promise<void>>();
  const resolved = (lab: Lab): Promise<void> => {
    if (!written.has(lab)) written.set(lab, resolveTo(lab, places.map(({ id, address }) => `${address(lab)} ${id}.rebind.contain.test`)));
    return written.get(lab)!;
  };
  return places.map(({ id, what }) => ({
    id: `2.rebind-${id}`,
    class: 2,
    what: `an allowed name whose owner lets it resolve to ${what}`,
    source: id === "host-gateway" || id === "sidecar" ? sources.ipAllowlist : sources.rebinding,
    must: "be refused by pipelock's guard",
    try: async (lab, marker) => {
      await resolved(lab);
      const answer = await absolute(lab, `${id}.rebind.contain.test:${lab.outside.port}`, marker);
      if (/no such host|lookup/i.test(answer.text)) throw new Error(`pipelock did not resolve the name: ${oneLine(answer.text, 300)}`);
      // A guard says so; whoever tried to connect says that it could not.
      const guarded = answer.status === 403 && /ssrf|internal|private|loopback|metadata/i.test(answer.text);
      return guarded ? held(`${answer.status}: ${/SSRF[^"]*|resolves to [^"]*/i.exec(answer.text)?.[0]?.slice(0, 80) ?? "guarded"}`) : escaped(`pipelock went there: ${inWords(answer)} ${oneLine(answer.text.split("\r\n\r\n")[1] ?? "", 160)}`);
    },
  }));
}

/** Writes lines into the hosts file that Docker keeps for pipelock, as the names' own servers would answer. */
async function resolveTo(lab: Lab, lines: readonly string[]): Promise<void> {
  const container = lab.bottle.container(lab.bottle.form === "open" ? "egress" : "pipelock");
  const path = await ok("docker", ["inspect", "--format", "{{.HostsPath}}", container]);
  if (path === "") throw new Skip("the engine keeps no hosts file for pipelock");
  const { code, stderr } = await run("docker", ["run", "--rm", "--network", "none", "--user", "0", "--volume", `${path}:/hosts`, BASE_IMAGE, "sh", "-c", `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")} >> /hosts`]);
  if (code !== 0) throw new Skip(`pipelock's hosts file cannot be written: ${oneLine(stderr)}`);
  await new Promise((resolve) => setTimeout(resolve, 6_000));
}
