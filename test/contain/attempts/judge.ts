// How answers are judged and put into one line.
import { escaped, held, type Seen } from "../attempt.ts";

/** An answer of a server or of the proxy. */
export interface Answered {
  readonly status: number;
  readonly body?: string;
  readonly text?: string;
  readonly error?: string;
}

/** "403 host_not_allowed", "no answer (curl: …)". */
export function inWords({ status, body, text, error }: Answered): string {
  const said = body ?? text ?? "";
  if (status === 0) return `no answer: ${oneLine(error || said) || "the connection ended"}`;
  const reason = /"reason":\s*"(\w+)"/.exec(said)?.[1] ?? /blocked: *([^\n"]{1,60})/.exec(said)?.[1];
  // What pipelock found in it.
  const found = reason === "content_refused" ? /"message":\s*"[^"]*?: ([^"]+?)\.?"/.exec(said)?.[1] : undefined;
  return [status, reason, found && `(${found})`].filter(Boolean).join(" ");
}

/** Held where the answer is no success. That nothing arrived outside is the runner's to see. */
export function refused(answer: Answered): Seen {
  return answer.status >= 100 && answer.status < 400 ? escaped(`answered ${inWords(answer)}`) : held(inWords(answer));
}

/** Held where all of them are refused; says what each said. */
export function allRefused(answers: Readonly<Record<string, Answered>>): Seen {
  const bad = Object.entries(answers).filter(([, answer]) => !refused(answer).held);
  if (bad.length > 0) return escaped(bad.map(([what, answer]) => `${what}: ${inWords(answer)}`).join("; "));
  return held([...new Set(Object.values(answers).map(inWords))].join("; "));
}

/** Held where a list of what was reached is empty. */
export function reachedNothing({ reached, errors }: { readonly reached: readonly string[]; readonly errors?: readonly string[] }): Seen {
  return reached.length > 0 ? escaped(`reached ${reached.join(", ")}`) : held(`nothing reached${errors?.length ? ` (${errors.join(", ")})` : ""}`);
}

export function oneLine(text: string, length = 90): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}
