// A decision that was cut off (killed, or the power went): found by the next command on that bottle. The manifest is put
// back at once; what the sidecars hold is put right by an update, which `approve` and `up` make.
import { readIfThere } from "../../components/files/read-if-there.ts";
import { record } from "../audit/log.ts";
import { manifestFile, stateRoot, type Project } from "../project.ts";
import { plain, span } from "../terminal.ts";
import { UserError } from "../user-error.ts";
import { putManifestBack, settle, updateBack, type PutBack } from "./bring-back.ts";
import { endDeciding, markUnsettled, readDeciding, type Deciding } from "./deciding.ts";
import { placeOf } from "./in-force.ts";
import { Interrupts } from "./interrupts.ts";
import { alone, aloneIfFree } from "./lock.ts";
import { readAnswer } from "../requests/read.ts";

type Tell = (line: string) => void;

/** Looks at these bottles, for commands that change nothing themselves. What is to be known is told. */
export async function lookForCutOff(project: Project, stacks: readonly string[], tell: Tell): Promise<void> {
  for (const stack of stacks) {
    const found = await find(project, stack);
    if (found === undefined) continue;
    for (const line of linesOn(stack, found)) tell(line);
  }
}

/**
 * Before `up`, which makes the update itself.
 * @throws UserError where the manifest holds a change that nobody decided, and more: once, the next `up` is the human's own word
 */
export async function beforeUpdate(project: Project, stack: string, tell: Tell): Promise<void> {
  const found = await find(project, stack, true);
  if (found === undefined) return;
  const lines = linesOn(stack, found);
  if (found.manifest === "changed since") throw new UserError(lines.join("\n"), `Take it out of Pulumi.${stack}.yaml where it is still there, then: bottle up ${stack}`);
  for (const line of lines) tell(line);
}

/** After an `up` that went well: sidecars that hold what a decision left behind take the manifest's rules. */
export async function afterUpdate(project: Project, stack: string, updateOnce: () => Promise<void>): Promise<void> {
  const root = stateRoot(project, stack);
  if (readDeciding(root) === undefined) return;
  await alone(root, `up ${stack}`, async () => {
    const deciding = readDeciding(root);
    if (deciding?.stage !== "unsettled") return;
    let done = false;
    await settle(placeOf(project, stack), async () => {
      if (done) await updateOnce();
      done = true;
    });
    recordSettled(root, deciding);
  });
}

/** Before an approval: the update back is made at once, where it brings nothing else into force. */
export async function settleCutOff(project: Project, stack: string, tell: Tell): Promise<void> {
  await beforeUpdate(project, stack, tell);
  const root = stateRoot(project, stack);
  if (readDeciding(root) === undefined) return;
  await alone(root, "approve", async () => {
    const deciding = readDeciding(root);
    if (deciding === undefined) return;
    if (readIfThere(manifestFile(project, stack)) !== deciding.before) throw new UserError(`Pulumi.${stack}.yaml: was changed since a decision on it was cut off, and the sidecars may hold other rules`, `bottle up ${stack}`);
    tell("bringing back the rules as they were (pulumi up)");
    await Interrupts.during(async (interrupts) => {
      const unlisten = interrupts.listen((count) => tell(count === 1 ? "interrupted: the old rules are still being brought back; once more stops that" : "interrupted again: leaving as soon as pulumi has ended"));
      try {
        await settle(placeOf(project, stack), () => updateBack({ project, stack, root, message: `bottle: back from ${deciding.shared.request.id}`, interrupts }));
      } catch (error) {
        const stopped = interrupts.count > 1 ? interrupts.interrupted : undefined;
        throw stopped ? new UserError(`stack ${stack}: the way back ${stopped.message}`, `bottle up ${stack}`, stopped.exitCode) : error;
      } finally {
        unlisten();
      }
      recordSettled(root, deciding);
      const stopped = interrupts.interrupted;
      if (stopped) throw new UserError(`approve ${stopped.message}; the old rules are back, and nothing else was done`, undefined, stopped.exitCode);
    });
  });
}

interface CutOff {
  readonly deciding: Deciding;
  /** undefined where an earlier command has told of it already. */
  readonly manifest?: PutBack;
}

/** @param acts whether the command will stop where the manifest was changed by hand: then it has told of it for good. */
async function find(project: Project, stack: string, acts = false): Promise<CutOff | undefined> {
  const root = stateRoot(project, stack);
  if (readDeciding(root) === undefined) return undefined;
  // Under way is not cut off.
  return await aloneIfFree(root, "looking after a decision that was cut off", async () => {
    const deciding = readDeciding(root);
    if (deciding === undefined) return undefined;
    if (deciding.stage === "unsettled") return { deciding };
    if (readAnswer(root, deciding.shared.request.id) !== undefined) return void endDeciding(root);
    const manifest = putManifestBack(manifestFile(project, stack), deciding);
    if (manifest !== "changed since" || acts) {
      record(root, { kind: "interrupted", ...deciding.shared, started: deciding.started, manifest });
      markUnsettled(root, deciding);
    }
    return { deciding, manifest };
  });
}

function recordSettled(root: string, { shared, started }: Deciding): void {
  record(root, { kind: "settled", request: shared.request, started });
}

function linesOn(stack: string, { deciding: { started, shared }, manifest }: CutOff): string[] {
  const file = `Pulumi.${stack}.yaml`;
  const ago = `${span(Date.now() - Date.parse(started))} ago`;
  const what = `the approval of ${shared.request.id} on ${stack} was cut off ${ago}`;
  const sidecars = `the sidecars may hold its rule until: bottle up ${stack}`;
  switch (manifest) {
    case "put back":
      return [`${what}; ${file} is put back as it was before, and the request is open as before`, sidecars];
    case "as before":
      return [`${what}; ${file} is as it was before, and the request is open as before`, sidecars];
    case "changed since":
      return [`${what}; ${file} was changed since, so it is left as it is. Look whether this change, which nobody decided, is still in it:`, ...plain(shared.diff, true).trimEnd().split("\n")];
    case undefined:
      return [`what was begun for ${shared.request.id} on ${stack} ${ago} was not brought to an end; ${sidecars}`];
  }
}
