// Class 4: paths, queries and methods that the rules read one way and a server another. The route of api allows GET
// and POST to /v1/**, that of repo GET to /repos/org/* with kind=open-*.
import type { Attempt } from "../attempt.ts";
import { bytes, probe, type Lab } from "../lab.ts";
import { names } from "../outside.ts";
import { sources, type Source } from "../sources.ts";
import { allRefused } from "./judge.ts";

const ask = (lab: Lab, host: string, line: string, ...headers: string[]) =>
  probe(lab.bottle, "tunnel", { connect: `${host}:443`, sni: host, send: bytes([`${line} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...headers]) });

/** Each target, with the marker at its end, must be refused. */
function targets(id: string, what: string, source: Source, each: (marker: string) => readonly string[], host: string = names.api): Attempt {
  return {
    id: `4.${id}`,
    class: 4,
    what,
    source,
    must: "be refused",
    try: async (lab, marker) => allRefused(Object.fromEntries(await Promise.all(each(marker).map(async (target) => [target.replace(marker, "…"), await ask(lab, host, `GET ${target}`)] as const)))),
  };
}

/** Each request line with its headers must be refused. */
function requests(id: string, what: string, source: Source, each: (marker: string) => readonly (readonly [string, ...string[]])[], host: string = names.api): Attempt {
  return {
    id: `4.${id}`,
    class: 4,
    what,
    source,
    must: "be refused",
    try: async (lab, marker) => allRefused(Object.fromEntries(await Promise.all(each(marker).map(async ([line, ...headers]) => [[line, ...headers].join(", ").replace(marker, "…"), await ask(lab, host, line, ...headers)] as const)))),
  };
}

export const paths: Attempt[] = [
  targets("outside", "a path outside the rule, plainly", sources.own, (m) => [`/v2/${m}`, `/${m}`, `/v10/${m}`, `/v1${m}`]),
  targets("dot-segments", "dot segments", sources.normalization, (m) => [`/v1/../v2/${m}`, `/v1/x/../../v2/${m}`, `/v1/./../v2/${m}`, `/../v2/${m}`]),
  targets("encoded-dots", "dot segments, percent-encoded in part and whole", sources.edgeCases, (m) => [`/v1/%2e%2e/v2/${m}`, `/v1/.%2e/v2/${m}`, `/v1/%2E%2E/v2/${m}`, `/v1/%2e%2e%2fv2/${m}`]),
  targets("double-encoded", "encoded twice and thrice", sources.edgeCases, (m) => [`/v1/%252e%252e/v2/${m}`, `/v1/..%252fv2/${m}`, `/v1/%25252e%25252e/v2/${m}`]),
  targets("encoded-slash", "encoded slashes around dot segments", sources.escapedSlashes, (m) => [`/v1/..%2f..%2fv2/${m}`, `/v1%2f..%2fv2/${m}`, `/v1/..%2Fv2/${m}`]),
  targets("backslash", "backslashes, raw and encoded", sources.escapedSlashes, (m) => [`/v1/..\\v2\\${m}`, `/v1/..%5cv2%5c${m}`, `\\v2\\${m}`]),
  targets("empty-segments", "empty segments", sources.escapedSlashes, (m) => [`//v2/${m}`, `/v1//../v2/${m}`, `//v1/../v2/${m}`]),
  targets("path-parameters", "path parameters: ..;/ and ;x", sources.reverseProxies, (m) => [`/v1/..;/v2/${m}`, `/v1/..;x=1/v2/${m}`, `/v1;/../v2/${m}`, `/v1/%3b/../../v2/${m}`]),
  targets("overlong", "overlong UTF-8 for dots and slashes", sources.overlong, (m) => [`/v1/%c0%ae%c0%ae/v2/${m}`, `/v1/%c0%ae%c0%ae%c0%af..%c0%afv2/${m}`, `/v1/%e0%80%ae%e0%80%ae/v2/${m}`]),
  targets("fullwidth", "full-width dots and slashes, which some servers fold", sources.edgeCases, (m) => [`/v1/%ef%bc%8e%ef%bc%8e/v2/${m}`, `/v1/..%ef%bc%8fv2/${m}`, `/v1/%e2%80%a5/v2/${m}`]),
  targets("control-characters", "NUL, tab and line break in a path", sources.edgeCases, (m) => [`/v1/%00/../../v2/${m}`, `/v1/x%00${m}`, `/v1/%0d%0aX:${m}`, `/v1/\t../v2/${m}`]),
  targets("broken-encoding", "broken percent-encodings and fragments", sources.edgeCases, (m) => [`/v1/%2/../v2/${m}`, `/v1/%zz/${m}`, `/v1/x#/../../v2/${m}`, `/v1/%u002e%u002e/${m}`]),
  targets("case", "the path's case", sources.normalization, (m) => [`/V1/${m}`, `/v1%2f../V2/${m}`]),
  targets("no-slash", "targets that do not begin with a slash: *, authority, query alone", sources.smugglingForms, (m) => [`*${m}`, `v1/${m}`, `?/v1/${m}`, `@${names.unlisted}/${m}`]),
  targets("glob-depth", "a rule of one segment: deeper, and past its end", sources.own, (m) => [`/repos/org/a/${m}?kind=open-1`, `/repos/org/a%2f..%2f${m}?kind=open-1`, `/repos/org%2f${m}?kind=open-1`, `/repos/orgs/${m}?kind=open-1`], names.repo),
  targets(
    "query",
    "a query's parameter missing, twice, encoded, with another separator, in another case",
    sources.own,
    (m) => [`/repos/org/${m}`, `/repos/org/${m}?kind=open-1&kind=closed`, `/repos/org/${m}?kind=closed&%6bind=open-1`, `/repos/org/${m}?x=1;kind=open-1`, `/repos/org/${m}?KIND=open-1`, `/repos/org/${m}?kind=open-1%26kind=closed&kind[]=closed&kind=x`],
    names.repo,
  ),
  requests("methods", "methods that the rule does not list, in any case", sources.own, (m) => [[`DELETE /v1/${m}`], [`PUT /v1/${m}`, "Content-Length: 0"], [`PATCH /v1/${m}`, "Content-Length: 0"], [`get /v1/${m}`], [`Get /v1/${m}`], [`GETX /v1/${m}`]]),
  requests("trace", "TRACE, TRACK and DEBUG, which would reflect the credential", sources.whereTokensLeak, (m) => [[`TRACE /v1/${m}`], [`TRACK /v1/${m}`], [`DEBUG /v1/${m}`]]),
  requests("method-override", "X-HTTP-Method-Override and its kin", sources.methodOverride, (m) => [
    [`POST /v1/${m}`, "Content-Length: 0", "X-HTTP-Method-Override: DELETE"],
    [`POST /v1/${m}`, "Content-Length: 0", "X-Method-Override: DELETE"],
    [`GET /v1/${m}`, "X-HTTP-Method: DELETE"],
    [`POST /v1/${m}`, "Content-Length: 0", "X_HTTP_Method_Override: DELETE"],
  ]),
  requests("method-query", "a method in the query: _method", sources.verbTunneling, (m) => [[`POST /v1/${m}?_method=DELETE`, "Content-Length: 0"], [`GET /v1/${m}?a=b&_method=put`], [`GET /v1/${m}?%5fmethod=put`]]),
  {
    id: "4.method-body",
    class: 4,
    what: "a method in a form's body (_method=DELETE)",
    source: sources.methodOverride,
    must: "get through: bodies are not read for rules",
    byDesign: "egress decides by a request's head. A server that takes the method from a form's body has to be held by its own rights: give the token no more than the route means.",
    try: async (lab, marker) =>
      allRefused({
        form: await probe(lab.bottle, "tunnel", {
          connect: `${names.api}:443`,
          sni: names.api,
          send: bytes([`POST /v1/${marker} HTTP/1.1`, `Host: ${names.api}`, "Content-Type: application/x-www-form-urlencoded", "Content-Length: 14", "Connection: close"], "_method=DELETE"),
        }),
      }),
  },
];
