// Narrowing in the human's own editor, before approval.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { attached } from "../attached.ts";
import { UserError } from "../user-error.ts";
import { plain, plainValue } from "../terminal.ts";
import { parseChange, type Change, type Request } from "./request.ts";
import { wider } from "./wider.ts";

/** @param env names the editor: VISUAL, EDITOR, else vi. */
export async function edit(request: Request, env: NodeJS.ProcessEnv): Promise<Change> {
  const folder = mkdtempSync(join(tmpdir(), "bottle-edit-"));
  const file = join(folder, `${request.id}.yaml`);
  try {
    writeFileSync(file, `# ${request.id}: narrow it, save, and close. Why: ${plain(request.why)}\n${stringify(plainValue(request.change))}`, { mode: 0o600 });
    const editor = env["VISUAL"] || env["EDITOR"] || "vi";
    // An editor's variable may hold arguments.
    if ((await attached("sh", ["-c", `${editor} "$1"`, "sh", file], { env })) !== 0) throw new UserError(`${editor}: did not end well; nothing was done`);
    const change = parseChange(request.kind, parse(readFileSync(file, "utf8")));
    const more = wider(request as Change, change);
    if (more.length > 0) throw new UserError(`the edited request allows more than was asked; nothing was done:\n${more.map((line) => `  - ${plain(line)}`).join("\n")}`, "Narrow it only. What the agent did not ask for goes into the manifest by hand.");
    return change;
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`the edited request: ${plain((error as Error).message, true).trim()}; nothing was done`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
