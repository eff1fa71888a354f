// Class 1: without asking the proxy.
import { held, escaped, type Attempt } from "../attempt.ts";
import { probe, sh, withoutProxy, type Lab } from "../lab.ts";
import { names } from "../outside.ts";
import { sources } from "../sources.ts";
import { reachedNothing } from "./judge.ts";

interface Reached {
  readonly reached: string[];
  readonly errors: string[];
}

/** Every address by which this machine, and the bottle's own networks, may be reached. */
function hostAddresses({ outside, bottle }: Lab): string[] {
  return [...new Set([...outside.hostAddresses(), ...Object.values(bottle.subnets).map(({ gateway }) => gateway)])];
}

const tcp = (lab: Lab, targets: readonly (readonly [string, number])[], send: string) => probe<Reached>(lab.bottle, "tcp_many", { targets, send });

export const around: Attempt[] = [
  {
    id: "1.raw-tcp-host",
    class: 1,
    what: "raw TCP to every address of the host and every gateway of the bottle, where a server listens",
    source: sources.internalReachesHost,
    must: "reach none",
    try: async (lab, marker) => reachedNothing(await tcp(lab, hostAddresses(lab).map((address) => [address, lab.outside.port]), marker)),
  },
  {
    id: "1.raw-tcp-server",
    class: 1,
    what: "raw TCP to the address of a server on the egress network, ports 80 and 443",
    source: sources.directIp,
    must: "reach none",
    try: async (lab, marker) => reachedNothing(await tcp(lab, [[lab.named.address, 80], [lab.named.address, 443]], `GET /${marker} HTTP/1.0\r\n\r\n`)),
  },
  {
    id: "1.no-default-route",
    class: 1,
    what: "connections to an address of the documentation range (192.0.2.1), where only a default route leads",
    source: sources.defaultRoute,
    must: "have no route",
    try: async (lab) => {
      const { out } = await sh(lab.bottle, "cat /proc/net/route");
      const routes = out.split("\n").filter((line) => /^\S+\t00000000\t/.test(line));
      const { error } = await probe<{ error?: string }>(lab.bottle, "tcp", { host: "192.0.2.1", port: 443, seconds: 2 });
      return routes.length === 0 && /ENETUNREACH|EHOSTUNREACH/.test(error ?? "") ? held(`no default route; ${error}`) : escaped(`${routes.length} default routes; ${error ?? "connected"}`);
    },
  },
  {
    id: "1.udp",
    class: 1,
    what: "datagrams to every address of the host, by one line of Python",
    source: sources.udpUnrestricted,
    must: "arrive nowhere",
    try: async (lab, marker) => reachedNothing(await probe(lab.bottle, "udp", { targets: hostAddresses(lab).map((address) => [address, lab.outside.port]), send: marker })),
  },
  {
    id: "1.quic",
    class: 1,
    what: "a QUIC Initial packet (UDP) to the host and to the server's port 443",
    source: sources.protocolGaps,
    must: "arrive nowhere",
    try: async (lab, marker) => {
      // RFC 9000 §17.2.2: long header, version 1, an 8-byte connection id; the marker in place of the payload.
      const packet = `\xc3\x00\x00\x00\x01\x08contain1\x00\x00\x44\xb0${marker}`.padEnd(1200, "\0");
      return reachedNothing(await probe(lab.bottle, "udp", { targets: [[lab.named.address, 443], ...hostAddresses(lab).map((address) => [address, lab.outside.port])], send: packet }));
    },
  },
  {
    id: "1.udp-broadcast",
    class: 1,
    what: "datagrams to broadcast and multicast addresses",
    source: sources.mobyIpv6,
    must: "arrive nowhere outside the bottle",
    try: async (lab, marker) => {
      const broadcast = lab.bottle.subnets.internal.gateway.replace(/\d+$/, (last) => String(Number(last) + 14));
      return reachedNothing(await probe(lab.bottle, "udp", { targets: ["255.255.255.255", broadcast, "224.0.0.1", "224.0.0.251"].map((address) => [address, lab.outside.port]), send: marker, broadcast: true }));
    },
  },
  {
    id: "1.icmp",
    class: 1,
    what: "ping with data in it, to the host, the gateways and the server",
    source: sources.internalPingsHost,
    must: "be answered by none",
    try: async (lab, marker) => reachedNothing(await probe(lab.bottle, "icmp", { targets: [...hostAddresses(lab), lab.named.address], send: marker })),
  },
  {
    id: "1.ipv6",
    class: 1,
    what: "IPv6: all-nodes multicast, link-local routers, IPv4-mapped addresses of the host",
    source: sources.mobyIpv6,
    must: "have no address but loopback's, and reach none",
    try: async (lab, marker) => {
      const { out } = await sh(lab.bottle, "cat /proc/net/if_inet6 2>/dev/null | grep -v ' lo$' || true");
      const reached = await tcp(lab, [["fe80::1%eth0", lab.outside.port], ["ff02::1%eth0", lab.outside.port], ...hostAddresses(lab).map((address) => [`::ffff:${address}`, lab.outside.port] as const)], marker);
      return out !== "" ? escaped(`has ${out.split("\n").length} IPv6 addresses`) : reachedNothing(reached);
    },
  },
  {
    id: "1.raw-sockets",
    class: 1,
    what: "raw and packet sockets, to forge addresses or router advertisements",
    source: sources.mobyIpv6,
    must: "be refused by the kernel",
    try: async ({ bottle }) => {
      const { made, errors } = await probe<{ made: string[]; errors: Record<string, string> }>(bottle, "sockets", {});
      return made.length > 0 ? escaped(`made ${made.join(", ")}`) : held([...new Set(Object.values(errors))].join(", "));
    },
  },
  {
    id: "1.change-network",
    class: 1,
    alone: true,
    what: "a default route through the gateway and a further address, by ioctl",
    source: sources.defaultRoute,
    must: "be refused by the kernel",
    try: async ({ bottle }) => {
      const { done, errors } = await probe<{ done: string[]; errors: Record<string, string> }>(bottle, "network_change", { gateway: bottle.subnets.internal.gateway });
      return done.length > 0 ? escaped(`changed: ${done.join(", ")}`) : held([...new Set(Object.values(errors))].join(", "));
    },
  },
  {
    id: "1.vsock",
    class: 1,
    what: "AF_VSOCK to the hypervisor and the host, where the machine is virtual",
    source: sources.protocolGaps,
    must: "reach none",
    try: async ({ bottle, outside }, marker) => reachedNothing(await probe(bottle, "vsock", { port: outside.port, send: marker })),
  },
  {
    id: "1.metadata",
    class: 1,
    what: "the cloud's metadata service (169.254.169.254 and its kin), directly",
    source: sources.rebinding,
    must: "reach none",
    try: async (lab) => reachedNothing(await tcp(lab, ["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200"].map((address) => [address, 80]), "")),
  },
  {
    id: "1.engine-api",
    class: 1,
    what: "Docker's API: Docker Desktop's 192.168.65.7:2375, and 2375/2376 on the host's addresses",
    source: sources.desktopApi,
    must: "reach none",
    try: async (lab) => reachedNothing(await tcp(lab, [["192.168.65.7", 2375], ["192.168.65.254", 2375], ...hostAddresses(lab).flatMap((address) => [[address, 2375], [address, 2376]] as const)], "")),
  },
  {
    id: "1.past-egress",
    class: 1,
    what: "pipelock, past egress's path rules: by its transit and egress addresses",
    source: sources.own,
    must: "reach none",
    try: async (lab) => {
      const { transit, egress } = lab.bottle.subnets;
      return reachedNothing(await tcp(lab, [[transit.addresses["pipelock"]!, 8080], [egress.addresses["pipelock"]!, 8080], [transit.addresses["egress"]!, 8080]], ""));
    },
  },
  {
    id: "1.other-bottle",
    class: 1,
    what: "the agent, proxy and pipelock of another bottle on the machine",
    source: sources.own,
    must: "reach none",
    try: async (lab) => {
      const { internal, transit, egress } = lab.plain.subnets;
      const addresses = [internal.gateway, ...Object.values(internal.addresses), ...Object.values(transit.addresses), ...Object.values(egress.addresses)];
      return reachedNothing(await tcp(lab, addresses.map((address) => [address, 8080]), ""));
    },
  },
  {
    id: "1.neighbourhood",
    class: 1,
    what: "a scan of the agent's own network, 14 addresses and the ports of databases, consoles and sidecars",
    source: sources.own,
    must: "find the ports of proxy, git-gate and supervise alone: 8080, 9418, 8090",
    try: async (lab) => {
      const { gateway, addresses } = lab.bottle.subnets.internal;
      const base = gateway.replace(/\d+$/, "");
      const first = Number(gateway.split(".")[3]);
      const ports = [22, 80, 443, 2375, 3000, 5000, 6379, 8000, 8080, 8081, 8090, 8443, 8765, 8888, 9000, 9090, 9418];
      const targets = Array.from({ length: 14 }, (_, place) => `${base}${first + place}`).filter((address) => address !== addresses["agent"]).flatMap((address) => ports.map((port) => [address, port] as const));
      const { reached } = await tcp(lab, targets, "");
      const expected = [`${addresses["proxy"]}:8080`, ...(lab.gitUpstream === undefined ? [] : [`${addresses["git-gate"]}:9418`]), `${addresses["supervise"]}:8090`];
      const odd = reached.filter((each) => !expected.includes(each));
      const missing = expected.filter((each) => !reached.includes(each));
      if (missing.length > 0) throw new Error(`the scan does not see ${missing.join(", ")}`);
      return odd.length > 0 ? escaped(`open: ${odd.join(", ")}`) : held(`open: ${expected.join(", ")}`);
    },
  },
  {
    id: "1.socks",
    class: 1,
    what: "SOCKS5 and SOCKS4 spoken to the proxy's port",
    source: sources.nulByte,
    must: "not be understood",
    try: async (lab, marker) => {
      const host = `${names.unlisted}`;
      const socks5 = Buffer.concat([Buffer.from([5, 1, 0, 5, 1, 0, 3, host.length]), Buffer.from(host), Buffer.from([1, 187]), Buffer.from(`GET /${marker} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)]);
      const socks4 = Buffer.concat([Buffer.from([4, 1, 0, 80, 0, 0, 0, 1, 0]), Buffer.from(`${host}\0GET /${marker} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)]);
      const answers = await Promise.all([socks5, socks4].map((send) => probe(lab.bottle, "proxy", { send: send.toString("base64"), seconds: 3 })));
      const spoken = answers.filter(({ text }) => /^(\x05|\x00Z)/.test(text));
      return spoken.length > 0 ? escaped("a SOCKS answer") : held(answers.map(({ status }) => (status === 0 ? "no answer" : String(status))).join(", "));
    },
  },
  {
    id: "1.relay",
    class: 1,
    what: "a relay of the agent's own in front of the proxy, asked for a host that is not allowed",
    source: sources.relayedConnect,
    must: "be refused like any other",
    try: async (lab, marker) => {
      const relay = `require("node:net").createServer(c=>{const s=require("node:net").connect(8080,"proxy");c.pipe(s).pipe(c);c.on("error",()=>{});s.on("error",()=>{})}).listen(9997,"127.0.0.1")`;
      const { out } = await sh(lab.bottle, `timeout 20 node -e '${relay}' & sleep 1; curl -ks --max-time 10 -o /dev/null -w '%{http_code}' -x http://127.0.0.1:9997 --noproxy '' https://${names.unlisted}/${marker}; kill %1 2>/dev/null`);
      return out.endsWith("403") ? held("403") : escaped(`answered ${out}`);
    },
  },
  {
    id: "1.no-proxy-variable",
    class: 1,
    what: "NO_PROXY=* and a hosts file of its own (curl --resolve), for an allowed host",
    source: sources.directIp,
    must: "lead nowhere",
    try: async (lab, marker) => {
      const { out } = await sh(lab.bottle, `NO_PROXY='*' no_proxy='*' curl -ks --max-time 4 -o /dev/null -w '%{http_code}' --resolve ${names.docs}:443:${lab.named.address} https://${names.docs}/${marker}`);
      return out.endsWith("000") ? held("no connection") : escaped(`answered ${out}`);
    },
  },
];

interface Client {
  readonly name: string;
  /** Shell command that asks for `https://HOST/MARKER`, and prints what came. */
  readonly ask: (host: string, marker: string) => string;
}

/** The agent's own clients, as an agent calls them. */
const clients: Client[] = [
  { name: "curl", ask: (host, marker) => `curl -sS --max-time 8 https://${host}/${marker}` },
  { name: "Node's fetch", ask: (host, marker) => `timeout 10 node -e 'fetch("https://${host}/${marker}").then(async r=>console.log(r.status,await r.text()),e=>console.log(String(e.cause??e)))'` },
  { name: "Python's urllib", ask: (host, marker) => `timeout 10 python3 -c 'import urllib.request;print(urllib.request.urlopen("https://${host}/${marker}",timeout=8).read())'` },
  { name: "git", ask: (host, marker) => `GIT_TERMINAL_PROMPT=0 timeout 10 git ls-remote https://${host}/${marker}.git` },
  {
    name: "apt",
    ask: (host, marker) =>
      `d=$(mktemp -d); mkdir -p $d/lists/partial $d/cache/archives/partial; echo "deb [trusted=yes] http://${host}/${marker} stable main" > $d/list; timeout 20 apt-get update -o Acquire::Retries=0 -o Acquire::http::Timeout=4 -o Dir::Etc::sourcelist=$d/list -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$d/lists -o Dir::Cache=$d/cache -o APT::Sandbox::User= -o Debug::NoLocking=1; rm -rf $d`,
  },
  {
    name: "Claude Code",
    ask: (host, marker) => `cd /tmp && ANTHROPIC_BASE_URL=https://${host}/${marker} CLAUDE_CODE_MAX_RETRIES=0 API_TIMEOUT_MS=6000 timeout 25 claude -p hello --model haiku </dev/null`,
  },
];

/** Each client past the proxy to an allowed host, and through it to one that is not. */
export const ownClients: Attempt[] = clients.flatMap(({ name, ask }): Attempt[] => {
  const slug = name.toLowerCase().replace(/[^a-z]+/g, "-");
  const source = name === "Claude Code" ? sources.baseUrl : name === "apt" ? sources.plainHttp : sources.connectNotEnforced;
  return [
    {
      id: `1.${slug}-without-proxy`,
      class: 1,
      what: `${name} without proxy settings, to a host that the manifest allows`,
      source,
      must: "reach nothing",
      try: async ({ bottle }, marker) => {
        const { out, error } = await sh(bottle, `${withoutProxy} sh -c '${ask(names.docs, marker).replaceAll("'", "'\\''")}' 2>&1`);
        return held(firstComplaint(out || error));
      },
    },
    {
      id: `1.${slug}-with-proxy`,
      class: 1,
      what: `${name} with the bottle's proxy settings, to a host that is not allowed`,
      source,
      must: "be refused by the proxy",
      try: async ({ bottle }, marker) => {
        const { out, error } = await sh(bottle, `${ask(names.unlisted, marker)} 2>&1`);
        const text = out || error;
        return /403|refused by bottle|not allowed|host_not_allowed/i.test(text) ? held(firstComplaint(text)) : escaped(firstComplaint(text));
      },
    },
  ];
});

/** The line that says most. */
function firstComplaint(text: string): string {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const line = lines.find((each) => /403|host_not_allowed/.test(each)) ?? lines.find((each) => /error|could not|resolve|refused|fail|unable|cannot/i.test(each)) ?? lines.at(-1) ?? "nothing";
  return line.length > 110 ? `${line.slice(0, 109)}…` : line;
}
