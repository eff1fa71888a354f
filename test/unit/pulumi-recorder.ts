// Runs a Pulumi program against a monitor that makes nothing and records what it is asked to make.
import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";

/** How Pulumi writes a value it does not know yet, and one that is secret, into a request. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** One resource as the program asked for it. */
export interface Registration {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly parent: string;
  /** URNs. */
  readonly dependencies: readonly string[];
  readonly deleteBeforeReplace: boolean;
  /** Secrets unwrapped, unknown values as the text UNKNOWN. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Names of inputs that are, or hold, a secret; and of those that hold an unknown value. */
  readonly secret: readonly string[];
  readonly unknown: readonly string[];
}

/** The requests of registerResource that are looked at; its generated type has no declarations. */
interface Request {
  getType(): string;
  getName(): string;
  getParent(): string;
  getDependenciesList(): string[];
  getDeletebeforereplace(): boolean;
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
}
type Callback = (error: unknown, response: { getUrn(): string } | undefined) => void;

/** What a made resource's outputs are; by default none are known in preview, and in an update they are the inputs. */
export type Outputs = (type: string, name: string, inputs: Record<string, unknown>) => Record<string, unknown>;

const ids: Record<string, number> = {};

/** Runs `program`, and returns what it registered, in order. */
export async function record(program: () => void, { preview, outputs = (_type, _name, inputs) => inputs }: { readonly preview: boolean; readonly outputs?: Outputs }): Promise<Registration[]> {
  const registrations: Registration[] = [];
  const errors: unknown[] = [];
  const mocks: pulumi.runtime.Mocks = {
    newResource: ({ type, name, inputs }) => (preview ? { id: undefined, state: {} } : { id: `${name}-id-${(ids[name] = (ids[name] ?? 0) + 1)}`, state: outputs(type, name, inputs) }),
    call: ({ token }) => {
      throw new Error(`unexpected call of ${token}`);
    },
  };
  class Recorder extends MockMonitor {
    override async registerResource(request: unknown, callback: Callback): Promise<void> {
      const { getType, getName, getParent, getDependenciesList, getDeletebeforereplace, getObject } = request as Request;
      const [type, name, raw] = [getType.call(request), getName.call(request), getObject.call(request)?.toJavaScript() ?? {}];
      await super.registerResource(request, (error: unknown, response: { getUrn(): string } | undefined) => {
        if (response !== undefined) {
          registrations.push({
            urn: response.getUrn(),
            type,
            name,
            parent: getParent.call(request),
            dependencies: getDependenciesList.call(request),
            deleteBeforeReplace: getDeletebeforereplace.call(request),
            inputs: unwrap(raw) as Record<string, unknown>,
            secret: Object.keys(raw).filter((key) => JSON.stringify(raw[key]).includes(SECRET)),
            unknown: Object.keys(raw).filter((key) => JSON.stringify(raw[key]).includes(UNKNOWN)),
          });
        }
        if (error) errors.push(error);
        callback(error, response);
      });
    }
  }
  await pulumi.runtime.setMocks(mocks, "bottle", "Review/One", preview, "organization");
  pulumi.runtime.setMockOptions(new Recorder(mocks), "bottle", "Review/One", preview, "organization");
  await pulumi.runtime.runInPulumiStack(async () => program());
  await pulumi.runtime.disconnect(false);
  if (errors.length > 0) throw errors[0];
  return registrations;
}

function unwrap(value: unknown): unknown {
  if (value === UNKNOWN) return "UNKNOWN";
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== "object" || value === null) return value;
  const object = value as Record<string, unknown>;
  if (object[SIGNATURE] === SECRET) return unwrap(object["value"]);
  return Object.fromEntries(Object.entries(object).map(([key, inner]) => [key, unwrap(inner)]));
}
