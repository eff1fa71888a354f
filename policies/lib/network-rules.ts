// What a bottle may reach: as its manifest says, and as pipelock.yaml and egress's rules in commands' stdin say, whoever rendered them.
import { parse } from "yaml";
import { COMMANDS } from "./compose.ts";
import { configOf } from "./stack-config.ts";
import { isObject, list, type Plain } from "./values.ts";

export const STACK = "pulumi:pulumi:Stack";

/** A host that is allowed, or a route to one. */
export interface Entry {
  readonly path: string;
  readonly kind: "host" | "route";
  readonly host: string;
  /** As written: the manifest's or egress's keys. */
  readonly entry: Plain;
}

export interface Reach {
  readonly entries: readonly Entry[];
  /** Hosts that pipelock does not look into, with the path of each. */
  readonly passedThrough: readonly { readonly path: string; readonly host: string }[];
}

const none: Reach = { entries: [], passedThrough: [] };

/** What one resource says: the stack its manifest, a command what it hands to a sidecar. */
export function reachOf(type: string, inputs: Plain): Reach {
  if (type === STACK) return ofManifest(configOf("bottle:network"), "bottle:network");
  const text = inputs["stdin"];
  if (!COMMANDS.has(type) || typeof text !== "string") return none;
  if (/^\s*"?api_allowlist"?\s*:/m.test(text)) return ofPipelock(text);
  return /^"?(strip_headers|routes)"?\s*:/m.test(text) ? ofEgress(text) : none;
}

/** True where the same host stands in the manifest, where people mend it: then it is reported there alone. */
export function inManifest(host: string): boolean {
  return ofManifest(configOf("bottle:network"), "").entries.some((entry) => entry.host === host);
}

function ofManifest(network: Plain, path: string): Reach {
  const entries = [...entriesOf(network["hosts"], `${path}.hosts`, "host"), ...entriesOf(network["routes"], `${path}.routes`, "route")];
  return { entries, passedThrough: entries.filter(({ entry }) => entry["inspect"] === false) };
}

function ofEgress(text: string): Reach {
  const rules = mapping(text);
  return { entries: [...entriesOf(rules["hosts"], "stdin: hosts", "host"), ...entriesOf(rules["routes"], "stdin: routes", "route")], passedThrough: [] };
}

function ofPipelock(text: string): Reach {
  const config = mapping(text);
  const interception = isObject(config["tls_interception"]) ? config["tls_interception"] : {};
  return {
    entries: entriesOf(config["api_allowlist"], "stdin: api_allowlist", "host"),
    passedThrough: entriesOf(interception["passthrough_domains"], "stdin: tls_interception.passthrough_domains", "host"),
  };
}

function mapping(text: string): Plain {
  try {
    const document = parse(text, { prettyErrors: false, logLevel: "silent" }) as unknown;
    return isObject(document) ? document : {};
  } catch {
    return {}; // what the sidecar itself refuses
  }
}

function entriesOf(all: unknown, path: string, kind: Entry["kind"]): Entry[] {
  return list(all).map((given, index) => {
    const entry = isObject(given) ? given : { host: given };
    return { path: `${path}[${index}]`, kind, host: String(entry["host"] ?? ""), entry };
  });
}
