// A Bottle named `b`, as the monitor saw it.
import { expect } from "vitest";
import { Bottle } from "../../components/bottle.ts";
import type { BottleArgs } from "../../components/stack.ts";
import type { Config } from "./fixtures.ts";
import { record, type Outputs, type Registration } from "./pulumi-recorder.ts";

export const KEY = "-----BEGIN EC PRIVATE KEY-----\nthe key\n";
const outputs: Outputs = (type, name, inputs) => {
  if (type.endsWith(":PrivateKey")) return { ...inputs, privateKeyPem: KEY };
  if (type.endsWith(":SelfSignedCert")) return { ...inputs, certPem: `certificate of ${name}\n` };
  // The engine adds IPv6 to what was asked for, in any order.
  if (type.endsWith(":Network")) return { ...inputs, ipamConfigs: [{ subnet: "fd00::/64", gateway: "fd00::1" }, ...(inputs["ipamConfigs"] as object[])] };
  return inputs;
};

/** With egress, a token of the environment and one that is a Pulumi secret. */
export const withRoutes: Config = {
  network: {
    hosts: ["docs.example.com"],
    routes: [
      { host: "api.example.com", name: "api", auth: { variable: "API_TOKEN" } },
      { host: "git.example.com", name: "git", auth: { secret: "s3cret-of-git", scheme: "basic", username: "u" } },
    ],
  },
};
export const withoutEgress: Config = { network: { hosts: ["docs.example.com"] } };

/** What was registered, to be asked by kind and name. */
export class Recorded {
  readonly all: readonly Registration[];

  constructor(all: readonly Registration[]) {
    this.all = all;
  }

  /** The one resource of this kind and name; its type's last word will do. */
  get(kind: string, name: string): Registration {
    const found = this.all.filter((resource) => resource.type.endsWith(kind) && resource.name === name);
    expect(found, `${kind} ${name}`).toHaveLength(1);
    return found[0]!;
  }

  command = (name: string) => this.get("local:Command", name);
  get commands(): Registration[] {
    return this.all.filter(({ type }) => type.endsWith("local:Command"));
  }

  /** URNs that must be there before a resource: its dependencies, its parents', and theirs. */
  before(resource: Registration): Set<string> {
    const byUrn = new Map(this.all.map((other) => [other.urn, other]));
    const seen = new Set<string>();
    const queue = [resource.urn];
    for (let urn = queue.pop(); urn !== undefined; urn = queue.pop()) {
      const found = byUrn.get(urn);
      for (const next of [...(found?.dependencies ?? []), ...(found?.parent ? [found.parent] : [])]) {
        if (!seen.has(next)) queue.push(next);
        seen.add(next);
      }
    }
    return seen;
  }
}

export async function bottle(args: BottleArgs, preview = false): Promise<Recorded> {
  return new Recorded(await record(() => void new Bottle("b", args), { preview, outputs }));
}
