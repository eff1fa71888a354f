// Class 3: what one part of the way reads and another part reads otherwise.
import { held, escaped, type Attempt, type Seen } from "../attempt.ts";
import { bytes, curl, probe, type Lab, type ProbeAnswer } from "../lab.ts";
import { names } from "../outside.ts";
import { sources } from "../sources.ts";
import { allRefused, inWords, refused } from "./judge.ts";

interface Inside {
  readonly authority: string;
  readonly sni?: string | null;
  readonly lines?: readonly string[];
  readonly body?: string;
  readonly then?: readonly string[];
  readonly tls?: boolean;
  readonly alpn?: readonly string[];
}

/** A tunnel with whatever is asked inside it. SNI is the tunnel's own name unless given; null: none. */
function inside(lab: Lab, { authority, sni, lines = [], body, then, tls = true, alpn }: Inside): Promise<ProbeAnswer> {
  const name = sni === undefined ? authority.split(":")[0]! : sni;
  return probe(lab.bottle, "tunnel", { connect: authority, tls, send: bytes(lines, body), ...(name !== null && { sni: name }), ...(then && { then }), ...(alpn && { alpn }) });
}

const get = (path: string, host: string, ...headers: string[]): string[] => [`GET ${path} HTTP/1.1`, `Host: ${host}`, ...headers];
const post = (path: string, host: string, ...headers: string[]): string[] => [`POST ${path} HTTP/1.1`, `Host: ${host}`, ...headers];

/** Whether the second of two requests on one connection was refused, or never answered. */
function secondRefused({ answers = [] }: ProbeAnswer): Seen {
  const [first, second] = answers;
  if (first?.status !== 200) throw new Error(`the first request was not answered: ${first?.status}`);
  return second === undefined || second.status === 0 ? held("200, then the connection ended") : refused(second);
}

const api = `${names.api}:443`;

export const disagreement: Attempt[] = [
  {
    id: "3.host-header",
    class: 3,
    what: "in a tunnel to a route's host: Host names a host that is not allowed",
    source: sources.fronting,
    must: "be refused",
    try: async (lab, marker) => refused(await inside(lab, { authority: api, lines: get(`/v1/${marker}`, names.unlisted) })),
  },
  {
    id: "3.host-allowed",
    class: 3,
    what: "in a tunnel to one allowed host: Host names another that is allowed, whose credential would be put on",
    source: sources.crossProvider,
    must: "be refused",
    try: async (lab, marker) => refused(await inside(lab, { authority: `${names.repo}:443`, lines: get(`/v1/${marker}`, names.api) })),
  },
  {
    id: "3.sni-unlisted",
    class: 3,
    what: "CONNECT to an allowed host, SNI of one that is not, tunnelled and opened",
    source: sources.sniAllowlist,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        tunnelled: await inside(lab, { authority: `${names.files}:443`, sni: names.unlisted, lines: get(`/${marker}`, names.unlisted) }),
        opened: await inside(lab, { authority: api, sni: names.unlisted, lines: get(`/v1/${marker}`, names.unlisted) }),
      }),
  },
  {
    id: "3.sni-allowed",
    class: 3,
    what: "CONNECT to a host that is not allowed, with an allowed host's SNI and Host",
    source: sources.sniHost,
    must: "be refused",
    try: async (lab, marker) => refused(await inside(lab, { authority: `${names.unlisted}:443`, sni: names.files, lines: get(`/${marker}`, names.files) })),
  },
  {
    id: "3.no-sni",
    class: 3,
    what: "TLS without a server name in a tunnel to an allowed host",
    source: sources.sniAllowlist,
    must: "be refused",
    try: async (lab, marker) => allRefused({ tunnelled: await inside(lab, { authority: `${names.files}:443`, sni: null, lines: get(`/${marker}`, names.unlisted) }), opened: await inside(lab, { authority: api, sni: null, lines: get(`/v1/${marker}`, names.api) }) }),
  },
  {
    id: "3.not-tls",
    class: 3,
    what: "plain HTTP, an SSH banner and raw bytes in a tunnel to port 443 of a tunnelled host",
    source: sources.protocolGaps,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        HTTP: await inside(lab, { authority: `${names.files}:443`, tls: false, lines: get(`/${marker}`, names.files) }),
        SSH: await inside(lab, { authority: `${names.files}:443`, tls: false, lines: [`SSH-2.0-${marker}`] }),
        bytes: await inside(lab, { authority: `${names.files}:443`, tls: false, lines: [`\x00\x01\x02${marker}`] }),
      }),
  },
  {
    id: "3.fronting-tunnelled",
    class: 3,
    what: "domain fronting on a tunnelled host: true SNI, another Host inside",
    source: sources.frontingTunnel,
    must: "get through: nobody opens such a host",
    byDesign: "A host with inspect: false and no route is passed on unread, so a server behind it that serves other names by their Host serves them to the agent too. Make it a route, or inspect it: then Host is held to the tunnel's name.",
    try: async (lab, marker) => refused(await inside(lab, { authority: `${names.files}:443`, lines: get(`/${marker}`, names.unlisted) })),
  },
  {
    id: "3.fronting-inspected",
    class: 3,
    what: "domain fronting on an inspected host",
    source: sources.fronting,
    must: "be refused",
    try: async (lab, marker) => refused(await inside(lab, { authority: `${names.docs}:443`, lines: get(`/${marker}`, names.unlisted) })),
  },
  {
    id: "3.fronting-without-egress",
    class: 3,
    what: "domain fronting on an inspected host in a bottle without egress",
    source: sources.fronting,
    must: "be refused, or go to the tunnel's own host",
    try: async (lab, marker) => {
      const answer = await probe(lab.plain, "tunnel", { connect: `${names.docs}:443`, sni: names.docs, send: bytes(get(`/${marker}`, names.unlisted)) });
      return refused(answer);
    },
  },
  {
    id: "3.sni-without-egress",
    class: 3,
    what: "CONNECT to an allowed host, SNI of another, in a bottle without egress",
    source: sources.sniAllowlist,
    must: "be refused",
    try: async (lab, marker) => refused(await probe(lab.plain, "tunnel", { connect: `${names.docs}:443`, sni: names.unlisted, send: bytes(get(`/${marker}`, names.unlisted)) })),
  },
  {
    id: "3.absolute-in-tunnel",
    class: 3,
    what: "a whole URL of another host as the request's target inside a tunnel",
    source: sources.reverseProxies,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        "other host": await inside(lab, { authority: api, lines: get(`https://${names.unlisted}/${marker}`, names.api) }),
        "own host": await inside(lab, { authority: api, lines: get(`https://${names.api}/v2/${marker}`, names.api) }),
      }),
  },
  {
    id: "3.absolute-and-host",
    class: 3,
    what: "plain HTTP: an allowed host in the URL, another in Host, and the other way round",
    source: sources.plaintextInjection,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        "Host unlisted": await probe(lab.bottle, "proxy", { send: bytes(get(`http://${names.docs}/${marker}`, names.unlisted)) }),
        "URL unlisted": await probe(lab.bottle, "proxy", { send: bytes(get(`http://${names.unlisted}/${marker}`, names.docs)) }),
        "no URL": await probe(lab.bottle, "proxy", { send: bytes(get(`/${marker}`, names.docs)) }),
      }),
  },
  {
    id: "3.two-hosts",
    class: 3,
    what: "two Host headers, and one that is folded",
    source: sources.smugglingForms,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        two: await inside(lab, { authority: api, lines: get(`/v1/${marker}`, names.api, `Host: ${names.unlisted}`) }),
        folded: await inside(lab, { authority: api, lines: [`GET /v1/${marker} HTTP/1.1`, "X-Padding: x", ` Host: ${names.unlisted}`, `Host: ${names.api}`] }),
        spaced: await inside(lab, { authority: api, lines: [`GET /v1/${marker} HTTP/1.1`, `Host : ${names.unlisted}`, `Host: ${names.api}`] }),
      }),
  },
  {
    id: "3.retarget-headers",
    class: 3,
    what: "X-Forwarded-Host, Forwarded, X-Original-URL and X-Rewrite-URL on an allowed request",
    source: sources.reverseProxies,
    must: "be taken off",
    try: async (lab, marker) => {
      const { status } = await inside(lab, {
        authority: api,
        lines: get("/v1/retarget", names.api, `X-Forwarded-Host: ${marker}`, `Forwarded: host=${marker}`, `X-Original-URL: /v2/${marker}`, `X-Rewrite-URL: /v2/${marker}`, `X_Forwarded_Host: ${marker}`, `X-Forwarded-For: ${marker}`),
      });
      return status === 200 ? held("200, without them") : held(String(status));
    },
  },
  {
    id: "3.smuggling-cl-te",
    class: 3,
    what: "request smuggling: Content-Length and Transfer-Encoding both, a second request in the body",
    source: sources.smuggling,
    must: "be refused; the hidden request never arrives",
    try: async (lab, marker) => {
      const hidden = `GET /v2/${marker} HTTP/1.1\r\nHost: ${names.api}\r\n\r\n`;
      return refused(await inside(lab, { authority: api, lines: post("/v1/smuggle", names.api, `Content-Length: ${hidden.length + 5}`, "Transfer-Encoding: chunked"), body: `0\r\n\r\n${hidden}` }));
    },
  },
  {
    id: "3.smuggling-te-forms",
    class: 3,
    what: "Transfer-Encoding in forms that one server takes and another does not",
    source: sources.smugglingForms,
    must: "be refused; the hidden request never arrives",
    try: async (lab, marker) => {
      const hidden = `GET /v2/${marker} HTTP/1.1\r\nHost: ${names.api}\r\n\r\n`;
      const forms = ["Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Transfer_Encoding: chunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding:\x0bchunked", "X: y\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked"];
      const answers = await Promise.all(forms.map(async (form) => [form.trim(), await inside(lab, { authority: api, lines: post("/v1/smuggle", names.api, `Content-Length: ${hidden.length + 5}`, form), body: `0\r\n\r\n${hidden}` })] as const));
      return allRefused(Object.fromEntries(answers));
    },
  },
  {
    id: "3.smuggling-lengths",
    class: 3,
    what: "two Content-Lengths, signed, hexadecimal and spaced ones; chunk sizes with 0x and +",
    source: sources.smugglingForms,
    must: "be refused; the hidden request never arrives",
    try: async (lab, marker) => {
      const hidden = `GET /v2/${marker} HTTP/1.1\r\nHost: ${names.api}\r\n\r\n`;
      const lengths = [["Content-Length: 0", `Content-Length: ${hidden.length}`], ["Content-Length: +0"], ["Content-Length: 0x0"], ["Content-Length: 0, 0"], ["Content-Length: 0 0"], ["Content-Length: -1"]];
      const answers = await Promise.all(lengths.map(async (lines) => [lines.join(), await inside(lab, { authority: api, lines: post("/v1/smuggle", names.api, ...lines), body: hidden })] as const));
      const chunked = await Promise.all(["0x0", "+0", "0 ;x"].map(async (size) => [size, await inside(lab, { authority: api, lines: post("/v1/smuggle", names.api, "Transfer-Encoding: chunked"), body: `${size}\r\n\r\n${hidden}` })] as const));
      // A single "0, 0" may be read as 0: then what follows is a request of its own, and is refused as one.
      const seen = Object.fromEntries([...answers, ...chunked].map(([what, answer]) => [what, { ...answer, status: answer.status === 200 && !answer.text.includes(marker) ? 400 : answer.status }]));
      return allRefused(seen);
    },
  },
  {
    id: "3.pipelined",
    class: 3,
    what: "a second request in the same packet, to a path that is not allowed",
    source: sources.smuggling,
    must: "be refused by itself",
    try: async (lab, marker) => {
      const answer = await inside(lab, { authority: api, lines: get("/v1/first", names.api), body: `GET /v2/${marker} HTTP/1.1\r\nHost: ${names.api}\r\n\r\n` });
      return answer.status === 200 ? held("200 for the first alone") : held(inWords(answer));
    },
  },
  {
    id: "3.kept-connection",
    class: 3,
    what: "a kept connection: first an allowed request, then another path, another host, another method",
    source: sources.sniHost,
    must: "have each request decided anew",
    try: async (lab, marker) => {
      const after = (lines: string[]) => inside(lab, { authority: api, lines: get("/v1/first", names.api), then: [bytes(lines)] });
      const answers = await Promise.all([after(get(`/v2/${marker}`, names.api)), after(get(`/v1/${marker}`, names.unlisted)), after([`DELETE /v1/${marker} HTTP/1.1`, `Host: ${names.api}`])]);
      const bad = answers.map(secondRefused).find((seen) => !seen.held);
      return bad ?? secondRefused(answers[0]!);
    },
  },
  {
    id: "3.kept-plain",
    class: 3,
    what: "plain HTTP on a kept connection: first an allowed host's URL, then another's",
    source: sources.plaintextInjection,
    must: "have each request decided anew",
    try: async (lab, marker) => {
      const { first, ...second } = await probe<ProbeAnswer & { first?: ProbeAnswer }>(lab.bottle, "proxy", { send: bytes(get(`http://${names.files}/first`, names.files)), then: bytes(get(`http://${names.unlisted}/${marker}`, names.unlisted)) });
      return secondRefused({ ...second, answers: [first!, second] });
    },
  },
  {
    id: "3.http2",
    class: 3,
    what: "HTTP/2: by ALPN, and by prior knowledge inside an opened tunnel",
    source: sources.upgrade,
    must: "not be spoken",
    try: async (lab, marker) => {
      const preface = Buffer.from(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0${marker}`, "latin1").toString("base64");
      const chosen = await inside(lab, { authority: api, alpn: ["h2", "http/1.1"], lines: get("/v1/alpn", names.api) });
      const prior = await probe(lab.bottle, "tunnel", { connect: api, sni: names.api, send: preface, seconds: 4 });
      return chosen.alpn === "h2" ? escaped("h2 was chosen") : { ...refused(prior), seen: `ALPN ${chosen.alpn ?? "none"}; preface: ${inWords(prior)}` };
    },
  },
  {
    id: "3.h2c",
    class: 3,
    what: "Upgrade: h2c, and upgrades to made-up protocols, to get a tunnel behind the rules",
    source: sources.upgrade,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused(
        Object.fromEntries(
          await Promise.all(
            ["h2c", "tcp", "TLS/1.0", "websocket, h2c"].map(async (protocol) => [protocol, await inside(lab, { authority: api, lines: get(`/v1/${marker}`, names.api, "Connection: Upgrade, HTTP2-Settings", `Upgrade: ${protocol}`, "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA") })]),
          ),
        ),
      ),
  },
  {
    id: "3.websocket",
    class: 3,
    what: "a WebSocket on a route that allows none",
    source: sources.upgrade,
    must: "be refused",
    try: async (lab, marker) =>
      refused(await inside(lab, { authority: api, lines: get(`/v1/${marker}`, names.api, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==") })),
  },
  {
    id: "3.redirect",
    class: 3,
    what: "an allowed host redirects to one that is not, and to the metadata service (curl -L)",
    source: sources.redirectSsrf,
    must: "be refused at the second step",
    try: async (lab, marker) => {
      // Every character encoded, so that the first request, which is allowed, does not show the marker.
      const encoded = (text: string) => Buffer.from(text).toString("hex").replace(/../g, "%$&");
      const follow = (to: string) => curl(lab.bottle, `-L 'https://${names.files}/status?code=302&location=${encoded(to)}'`);
      return allRefused({ host: await follow(`https://${names.unlisted}/${marker}`), metadata: await follow("http://169.254.169.254/latest/") });
    },
  },
  {
    id: "3.odd-ports",
    class: 3,
    what: "other ports of allowed hosts: 8443, 22, 25, 0, 65536, none",
    source: sources.directIp,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused(
        Object.fromEntries(
          await Promise.all([`${names.files}:8443`, `${names.docs}:8443`, `${names.api}:8443`, `${names.files}:22`, `${names.files}:25`, `${names.files}:0`, `${names.files}:65979`, names.files, `${names.files}:443:22`].map(async (authority) => [authority, await inside(lab, { authority, sni: names.files, lines: get(`/v1/${marker}`, names.files) })])),
        ),
      ),
  },
  {
    id: "3.nested-connect",
    class: 3,
    what: "CONNECT inside a tunnel, and CONNECT as a second request",
    source: sources.relayedConnect,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        nested: await inside(lab, { authority: api, lines: [`CONNECT ${names.unlisted}:443 HTTP/1.1`, `Host: ${names.unlisted}:443`, `X: ${marker}`] }),
        second: await probe(lab.bottle, "proxy", { send: bytes(get(`http://${names.files}/first`, names.files)), then: bytes([`CONNECT ${names.unlisted}:443 HTTP/1.1`, `Host: ${names.unlisted}:443`, `X: ${marker}`]) }),
      }),
  },
  {
    id: "3.header-injection",
    class: 3,
    what: "bare line feeds, carriage returns and NUL in a header, to hide another one that would be taken off",
    source: sources.smugglingForms,
    must: "be refused, or be taken off all the same",
    try: async (lab, marker) => {
      const answers = await Promise.all(["\n", "\r", "\0"].map((char) => inside(lab, { authority: api, lines: get("/v1/inject", names.api, `X-A: b${char}X-Forwarded-Host: ${marker}`) })));
      return held(answers.map(inWords).join("; "));
    },
  },
  {
    id: "3.http-versions",
    class: 3,
    what: "HTTP/0.9, HTTP/1.2 and HTTP/3.0 request lines",
    source: sources.smugglingForms,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused({
        "0.9": await inside(lab, { authority: api, lines: [`GET /v1/${marker}`] }),
        "1.2": await inside(lab, { authority: api, lines: [`GET /v1/${marker} HTTP/1.2`, `Host: ${names.api}`] }),
        "3.0": await inside(lab, { authority: api, lines: [`GET /v1/${marker} HTTP/3.0`, `Host: ${names.api}`] }),
      }),
  },
  {
    id: "3.plain-for-https",
    class: 3,
    what: "plain http to a route of https, with and without its port",
    source: sources.plaintextInjection,
    must: "be refused: the credential goes over TLS alone",
    try: async (lab, marker) =>
      allRefused({
        80: await probe(lab.bottle, "proxy", { send: bytes(get(`http://${names.api}/v1/${marker}`, names.api)) }),
        443: await probe(lab.bottle, "proxy", { send: bytes(get(`http://${names.api}:443/v1/${marker}`, `${names.api}:443`)) }),
        "https URL": await probe(lab.bottle, "proxy", { send: bytes(get(`https://${names.api}/v1/${marker}`, names.api)) }),
        "in a tunnel": await inside(lab, { authority: api, tls: false, lines: get(`/v1/${marker}`, names.api) }),
      }),
  },
  {
    id: "3.other-schemes",
    class: 3,
    what: "ftp, ws, gopher and file URLs to the proxy",
    source: sources.protocolGaps,
    must: "be refused",
    try: async (lab, marker) =>
      allRefused(Object.fromEntries(await Promise.all(["ftp", "ws", "gopher", "file"].map(async (scheme) => [scheme, await probe(lab.bottle, "proxy", { send: bytes(get(`${scheme}://${names.docs}/${marker}`, names.docs)), seconds: 4 })])))),
  },
];
