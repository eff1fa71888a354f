// Makes a lab, and takes all of it away again.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../../scripts/setup/project.ts";
import { trustFiles } from "../../components/machine/trust.ts";
import { nameUpstream, type NamedUpstream } from "../lib/e2e-upstream.ts";
import { ok, run } from "../lib/run.ts";
import { EngineBottle } from "./bottles/engine.ts";
import { API_VARIABLE, CLAUDE_VARIABLE, fullManifest, plainManifest } from "./bottles/manifest.ts";
import { engineLikeSocket, openHoles } from "./bottles/open.ts";
import { PulumiBottles } from "./bottles/pulumi.ts";
import type { Bottle, Form, Lab, Tokens } from "./lab.ts";
import { names, startOutside } from "./outside.ts";

export interface LabOptions {
  readonly form: Form;
  /** OCI runtime of both agents. */
  readonly runtime?: string;
  readonly say?: (line: string) => void;
  /** Asked between steps: Ctrl-C. */
  readonly stopped?: () => boolean;
}

/** A lab, and what takes it away; that never throws half-way: it does all it can, then complains. */
export interface Standing {
  readonly lab: Lab;
  remove(): Promise<void>;
}

/**
 * Makes two bottles of a form and what lies outside them.
 *
 * @throws Error where that fails; whatever was made by then is gone again
 */
export async function setUp({ form, runtime = "runc", say = () => {}, stopped = () => false }: LabOptions): Promise<Standing> {
  const undo: (() => Promise<unknown> | unknown)[] = [];
  const remove = async (): Promise<void> => {
    const complaints: string[] = [];
    for (const step of undo.splice(0).reverse()) {
      // Twice: an interrupted terminal ends what a step has just started.
      await Promise.resolve().then(step).catch(() => Promise.resolve().then(step)).catch((error: Error) => complaints.push(error.message));
    }
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
  };
  try {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "bottle-contain-")));
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    const trap = join(folder, "trap");
    mkdirSync(trap);
    for (const path of [folder, trap]) chmodSync(path, 0o777);
    const workspace = await repository(join(folder, "workspace"));
    const gitUpstream = existsSync(join(projectRoot, "components/git-gate/image/Dockerfile")) ? await bare(workspace, join(folder, "work.git")) : undefined;
    const outside = await startOutside();
    undo.push(() => outside.close());
    const ca = join(folder, "upstream-ca.pem");
    writeFileSync(ca, outside.upstream.ca);
    const trust = { caFiles: [...trustFiles(undefined, folder).paths, ca] };
    const tokens: Tokens = { api: `contain-${randomBytes(16).toString("hex")}`, claude: `sk-ant-api03-${randomBytes(46).toString("hex")}AA` };
    const full = fullManifest({ port: outside.port, runtime, workspace, gitUpstream, trust });
    const small = plainManifest({ runtime, trust });

    const goOn = (): void => {
      if (stopped()) throw new Error("interrupted");
    };
    say("bringing up two bottles");
    let bottle: Bottle;
    let plain: Bottle;
    let pulumi: PulumiBottles | undefined;
    if (form === "pulumi") {
      pulumi = await PulumiBottles.make({ [API_VARIABLE]: tokens.api, [CLAUDE_VARIABLE]: tokens.claude });
      undo.push(() => pulumi!.dispose());
      bottle = await pulumi.up("contain", full);
      goOn();
      plain = await pulumi.up("plain", small);
    } else {
      const values = { [API_VARIABLE]: tokens.api, [CLAUDE_VARIABLE]: tokens.claude };
      const both = ["contain", "plain"].map((name) => new EngineBottle(name, form)) as [EngineBottle, EngineBottle];
      for (const each of both) undo.push(() => each.dispose());
      if (form === "open") {
        for (const each of both) {
          const server = await engineLikeSocket(each.project);
          undo.push(() => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))));
        }
      }
      await both[0].up(full, values, form === "open" ? openHoles(tokens, { gitUpstream, workspace }) : undefined);
      goOn();
      await both[1].up(small, {}, form === "open" ? openHoles(tokens, {}) : undefined);
      [bottle, plain] = both;
    }
    goOn();
    const named: NamedUpstream = await nameUpstream(bottle, outside.upstream, Object.values(names));
    undo.push(() => named.remove());
    const second = await nameUpstream(plain, outside.upstream, Object.values(names));
    undo.push(() => second.remove());
    const leave = (which: Bottle): Promise<void> => (which === bottle ? named : second).remove();
    return { lab: { bottle, plain, named, outside, leave, tokens, workspace, gitUpstream, pulumi, trap }, remove };
  } catch (error) {
    await remove().catch((more: Error) => say(more.message));
    throw error;
  }
}

const identity = ["-c", "user.name=contain", "-c", "user.email=contain@bottle.invalid"];

async function repository(path: string): Promise<string> {
  mkdirSync(path);
  await ok("git", ["init", "--quiet", "--initial-branch", "main", path]);
  writeFileSync(join(path, "README.md"), "A workspace.\n");
  await ok("git", ["-C", path, "add", "."]);
  await ok("git", ["-C", path, ...identity, "commit", "--quiet", "-m", "First"]);
  return path;
}

/** A bare clone that the sidecars' uid can write. */
async function bare(source: string, path: string): Promise<string> {
  await ok("git", ["clone", "--quiet", "--bare", source, path]);
  if (process.getuid?.() === 0) await run("chown", ["-R", "1000:1000", path]);
  return path;
}
