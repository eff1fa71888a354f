// How a rule becomes a Pulumi policy: paths in messages, configuration, and a finding where it could not run.
import type { PolicyConfigSchema, ReportViolation, ResourceValidationPolicy, Severity, StackValidationPolicy } from "@pulumi/policy";
import { NotKnown, plain, type Plain } from "./values.ts";

/** Reports a finding: where, and what is wrong with its mend. Neither holds a value: policies see secrets in plain text. */
export type Report = (path: string, text: string) => void;

/** What every rule says of itself. */
export interface Rule {
  /** kebab-case. */
  readonly name: string;
  readonly description: string;
  readonly severity: Severity;
  /** Mandatory unless it says otherwise; teams change it in their configuration file. */
  readonly enforcementLevel?: "advisory" | "mandatory";
  /** JSON Schema of the rule's own settings, each with its default. */
  readonly config?: PolicyConfigSchema["properties"];
}

/** A resource as a program asked for it. */
export interface Requested {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  /** As given, secrets in plain text; UNKNOWN for what is not known in preview. */
  readonly inputs: Plain;
}

/** A resource as the stack has it at the end; in preview, as far as that is known. */
export interface InStack {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  readonly properties: Plain;
  readonly dependencies: readonly string[];
  /** URNs by property. */
  readonly propertyDependencies: Readonly<Record<string, readonly string[]>>;
}

type Check<Subject, Config> = (subject: Subject, report: Report, config: Config) => void | Promise<void>;

/** A rule about one resource. Runs before anything is done for that resource, in preview and in an update. */
export function resourceRule<Config extends object>({ config, check, ...rule }: Rule & { readonly check: Check<Requested, Config> }): ResourceValidationPolicy {
  return {
    ...policy(rule, config),
    validateResource: async (args, violation) => {
      const { type, name, urn } = args;
      await run(() => check({ type, name, urn, inputs: plain(args.props) }, reporter(violation), args.getConfig<Config>()), violation);
    },
  };
}

/** A rule about the stack as a whole. Runs once everything is registered: at the end of preview, and of an update. */
export function stackRule<Config extends object>({
  config,
  check,
  ...rule
}: Rule & { readonly check: Check<readonly InStack[], Config & { readonly report: (urn: string) => Report }> }): StackValidationPolicy {
  return {
    ...policy(rule, config),
    validateStack: async (args, violation) => {
      const resources = args.resources.map(
        ({ type, name, urn, props, dependencies, propertyDependencies }): InStack => ({
          type,
          name,
          urn,
          properties: plain(props),
          dependencies: dependencies.map((other) => other.urn),
          propertyDependencies: Object.fromEntries(Object.entries(propertyDependencies).map(([key, others]) => [key, others.map((other) => other.urn)])),
        }),
      );
      await run(() => check(resources, reporter(violation), { ...args.getConfig<Config>(), report: (urn) => reporter(violation, urn) }), violation);
    },
  };
}

function policy(rule: Omit<Rule, "config">, properties: Rule["config"]) {
  return { enforcementLevel: "mandatory" as const, ...rule, ...(properties && { configSchema: { properties } }) };
}

function reporter(violation: ReportViolation, urn?: string): Report {
  return (path, text) => violation(`${path}: ${text}`, urn);
}

/** A rule that could not run counts as violated. What an error says is not shown: it may quote what the rule read. */
async function run(check: () => void | Promise<void>, violation: ReportViolation): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (error instanceof NotKnown) violation(`${error.path}: is not known before the update, so the rule could not run; make it a plain value that depends on no resource's output`);
    else violation(`the rule could not run (${(error as Error).constructor.name}); what it cannot read counts as violated: give the resource the form that bottle's own components use, or report this`);
  }
}
