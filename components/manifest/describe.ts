// zod's issues → lines that a person can act on.
import type { z } from "zod";

type Issue = z.core.$ZodIssue;

/** What a value of each kind is called in YAML. */
const kinds: Record<string, string> = {
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  undefined: "missing",
  null: "empty",
};

/**
 * One line an issue: `bottle:<path>: <problem and mend>`. Values are shown by the checks themselves,
 * never here: one could be a secret.
 */
export function describe(issue: Issue): string[] {
  if (issue.code === "invalid_union") return describeUnion(issue);
  return [`bottle${keyOf(issue.path)}: ${problem(issue)}`];
}

function problem(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      if (issue.expected === "int" && received(issue) === kinds["number"]) return "is not a whole number; give one";
      return `is ${received(issue)}; give ${kinds[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return issue.values.length === 1 ? `can only be ${values(issue)}` : `is none of ${values(issue)}; give one of them`;
    case "invalid_key":
      return issue.issues.map((inner) => inner.message).join("; ");
    case "too_small":
      if (issue.origin === "string") return "is empty; give a text, or leave the key out";
      if (issue.origin === "array") return "is an empty list; name at least one, or leave the key out";
      return `is too small; give ${issue.inclusive ? `${issue.minimum} or more` : `more than ${issue.minimum}`}`;
    case "too_big":
      return `is too large; give ${issue.maximum} or less`;
    default:
      return issue.message;
  }
}

const values = (issue: Extract<Issue, { code: "invalid_value" }>) => issue.values.map((value) => JSON.stringify(value)).join(", ");

/** zod says what it received in its message only. */
function received(issue: Issue): string {
  const kind = /received (\S+)$/.exec(issue.message)?.[1] ?? "of another kind";
  return kind === "boolean" ? "a boolean" : (kinds[kind] ?? kind);
}

/** Of a union's branches the one that got furthest says best what is meant. */
function describeUnion(issue: Extract<Issue, { code: "invalid_union" }>): string[] {
  const branches = issue.errors;
  const misses = branches.flatMap((branch) => branch.filter((inner) => inner.code === "invalid_type" && inner.path.length === 0));
  if (misses.length === branches.length) {
    const wanted = misses.map((inner) => (inner.code === "invalid_type" ? (kinds[inner.expected] ?? inner.expected) : ""));
    return [`bottle${keyOf(issue.path)}: is ${received(misses.at(-1)!)}; give ${wanted.join(" or ")}`];
  }
  const best = [...branches].sort((a, b) => reach(b) - reach(a))[0] ?? [];
  return best.flatMap((inner) => describe({ ...inner, path: [...issue.path, ...inner.path] } as Issue));
}

function reach(branch: readonly Issue[]): number {
  const missed = branch.some((issue) => issue.code === "invalid_type" && issue.path.length === 0);
  return missed ? -1 : Math.max(0, ...branch.map((issue) => issue.path.length + (issue.code === "custom" ? 1 : 0)));
}

/** `:network.hosts[0].host`; keys that are no plain names in quotes. */
function keyOf(path: readonly PropertyKey[]): string {
  const key = path.map((part) => (typeof part === "number" ? `[${part}]` : /^[\w-]+$/.test(String(part)) ? `.${String(part)}` : `[${JSON.stringify(part)}]`)).join("");
  return key === "" ? "" : `:${key.replace(/^\./, "")}`;
}
