// Manifests as people write them, right and nearly right.
import fc from "fast-check";

const domains = fc.constantFrom("example.com", "api.example.com", "a.b.example.com", "example.org", "git_x.example.net", "api.anthropic.com", "xn--e1afmkfd.xn--p1ai");

export const hostPattern = fc.oneof({ weight: 3, arbitrary: domains }, { weight: 1, arbitrary: domains.map((domain) => `*.${domain}`) });

const segment = fc.oneof(fc.constantFrom("v1", "*", "**", "", "a*", "..", "%2F", "%2e", "x;y", ";z", "%", "caf%C3%A9", "a.b"), fc.string({ unit: fc.constantFrom(..."ab*%;.2Ff/@&=+~") , maxLength: 6 }));
export const pathGlob = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`);

const name = fc.constantFrom("one", "two-three", "claude", "api-example-com");
const header = fc.constantFrom("authorization", "X-Api-Key", "x-goog-api-key", "private-token", "Cookie", "host", "te");

/** `token`: what auth.secret holds. */
export const auth = (token: fc.Arbitrary<string>) =>
  fc.record(
    {
      variable: fc.constantFrom("TOKEN", "github_token", "secret_one"),
      secret: token,
      scheme: fc.constantFrom("bearer", "basic", "raw"),
      header,
      username: fc.constantFrom("user", "u:v", "ü"),
      optional: fc.boolean(),
    },
    { requiredKeys: [] },
  );

export const route = (token: fc.Arbitrary<string>) =>
  fc.record(
    {
      host: hostPattern,
      name,
      scheme: fc.constantFrom("https", "http"),
      port: fc.integer({ min: 1, max: 65535 }),
      methods: fc.array(fc.constantFrom("GET", "POST", "M-SEARCH", "DELETE"), { minLength: 1, maxLength: 3 }),
      paths: fc.array(pathGlob, { minLength: 1, maxLength: 3 }),
      query: fc.dictionary(fc.string({ minLength: 1, maxLength: 4 }), fc.string({ maxLength: 6 }), { maxKeys: 2 }),
      websocket: fc.boolean(),
      inspect: fc.boolean(),
      private: fc.array(fc.constantFrom("10.0.0.0/8", "192.168.7.0/24"), { maxLength: 1 }),
      auth: auth(token),
    },
    { requiredKeys: ["host"] },
  );

/** Value of `bottle:network`. */
export const network = (token: fc.Arbitrary<string> = fc.constant("s3cret")) =>
  fc.record(
    { hosts: fc.uniqueArray(fc.oneof(hostPattern, fc.record({ host: hostPattern, inspect: fc.boolean() })), { maxLength: 3 }), routes: fc.array(route(token), { maxLength: 3 }) },
    { requiredKeys: [] },
  );
