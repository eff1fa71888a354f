// Narrowing in the human's own editor, before approval.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { attached } from "../attached.ts";
import { UserError } from "../user-error.ts";
import { plain, plainValue } from "../terminal.ts";
import { parseChange, type Change, type Request } from "./request.ts";

/** @param env names the editor: VISUAL, EDITOR, else vi. */
export async function edit(request: Request, env: NodeJS.ProcessEnv): Promise<Change> {
  const folder = mkdtempSync(join(tmpdir(), "bottle-edit-"));
  const file = join(folder, `${request.id}.yaml`);
  try {
    writeFileSync(file, `# ${request.id}: narrow it, save, and close. Why: ${plain(request.why)}\n${stringify(plainValue(request.change))}`, { mode: 0o600 });
    const editor = env["VISUAL"] || env["EDITOR"] || "vi";
    // An editor's variable may hold arguments.
    if ((await attached("sh", ["-c", `${editor} "$1"`, "sh", file], { env })) !== 0) throw new UserError(`${editor}: did not end well; nothing was changed`);
    return parseChange(request.kind, parse(readFileSync(file, "utf8")));
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`the edited request: ${(error as Error).message}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
