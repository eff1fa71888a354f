// Takes a bottle away whose Pulumi state is lost: by label, as `pulumi destroy` would have.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { renderDown, renderSweep } from "../../components/compose/teardown.ts";
import { renderSaveWork } from "../../components/agent/save-work.ts";
import { slugify, type Identity } from "../../components/identity.ts";
import { findEngine } from "../../components/machine/engine.ts";
import { memoryFolder } from "../../components/machine/secrets.ts";
import { run } from "../../components/machine/run.ts";
import { UserError } from "../user-error.ts";
import type { EngineBottle } from "./engine.ts";

/** Logs and the agent's work are saved first, into `folder`. */
export async function reap(bottle: EngineBottle, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const identity: Identity = {
    stack: bottle.stack,
    project: bottle.project,
    slug: slugify(bottle.stack),
    instance: bottle.instance,
    composeProject: bottle.composeProject ?? `bottle-${slugify(bottle.stack)}-${bottle.instance}`,
    labels: { "bottle.project": bottle.project, "bottle.stack": bottle.stack, "bottle.instance": bottle.instance },
  };
  const agent = bottle.containers.find(({ service }) => service === "agent");
  const saveWork = agent ? renderSaveWork({ identity, ...(await userOf(agent.id, env)) }) : ":";
  const engine = await findEngine();
  for (const script of [renderDown(identity, folder, saveWork), renderSweep(identity, folder, memoryFolder(bottle.instance))]) {
    const { code, stderr } = await run("sh", ["-c", script], { env: { ...env, ...engine.environment }, timeout: 600_000 });
    if (code !== 0) throw new UserError(`bottle ${bottle.stack} (${bottle.instance}): ${stderr.trim()}`);
  }
  const kept = ["compose.log", "evidence"].filter((name) => existsSync(join(folder, name)));
  process.stdout.write(`${bottle.stack} (${bottle.instance}) is gone${kept.length > 0 ? `; what is kept: ${folder}` : ""}\n`);
}

async function userOf(container: string, env: NodeJS.ProcessEnv): Promise<{ image: string; uid: number; gid: number }> {
  const { stdout } = await run("docker", ["inspect", "--format", "{{.Config.Image}} {{.Config.User}}", container], { env });
  const [image = "", user = ""] = stdout.trim().split(" ");
  const [uid = "1000", gid = uid] = user.split(":");
  return { image, uid: Number(uid), gid: Number(gid) };
}
