// The answer that the waiting agent reads: written by the host alone, whole or not at all.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { answersFolder, type Answer } from "../requests/read.ts";

export type Decided = Omit<Answer, "format" | "decided_at" | "by">;

export function writeAnswer(root: string, decided: Decided): Answer {
  const answer: Answer = { format: 1, ...decided, decided_at: new Date().toISOString(), by: hostUser() };
  const folder = answersFolder(root);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const temporary = join(folder, `.${decided.id}.${process.pid}`);
  writeFileSync(temporary, `${JSON.stringify(answer, null, 2)}\n`, { mode: 0o644 });
  renameSync(temporary, join(folder, `${decided.id}.json`));
  return answer;
}

/** Who decides: the user of this host, behind sudo the one who called it. */
export function hostUser(): string {
  const { username } = userInfo();
  const caller = process.env["SUDO_USER"];
  return caller && caller !== username ? `${username} (sudo: ${caller})` : username;
}
