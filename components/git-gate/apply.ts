// Run by a Command: writes gate.json (stdin), has git-gate's own image check it, and where git-gate
// runs puts it in force there. A configuration that git-gate refuses never stays.
import { join } from "node:path";
import { runningContainer } from "../compose/container.ts";
import { markApplied } from "../files/applied.ts";
import { candidateName, replaceChecked } from "../files/live-file.ts";
import { ownedFile, ownedFolder } from "../files/owned-files.ts";
import { input, main, owner, setting } from "../files/script-io.ts";
import { run } from "../machine/run.ts";
import { GATE_CONFIG, gatePaths } from "./config.ts";
import { holdsGateConfig, restartGate } from "./control.ts";

await main(async () => {
  ownedFolder(setting("EVIDENCE_FOLDER"), owner());
  const live = join(setting("CONFIG_FOLDER"), GATE_CONFIG);
  const config = input();
  await putInForce(live, config, await replaceChecked(live, config, owner(), check));
  markApplied();
});

/** @param old what the file said before; undefined: it was not there */
async function putInForce(live: string, config: string, old: string | undefined): Promise<void> {
  const container = await runningContainer(setting("COMPOSE_PROJECT"), "git-gate");
  // The same, but for where a step was stopped before git-gate had it.
  if (container === undefined || (old === config && (await holdsGateConfig(container, config)))) return;
  // No old file under a running git-gate: the folder was lost, and its mount with it.
  if (old === undefined) return restartGate(container);
  const { code, stderr } = await apply(container);
  if (code === 0 || (await runningContainer(setting("COMPOSE_PROJECT"), "git-gate")) !== container) return;
  if (old !== config) {
    ownedFile(live, old, owner());
    await apply(container);
  }
  throw new Error(`git-gate did not take its new configuration${old === config ? "" : ", and the old one is in force again"}: ${stderr.trim().slice(-2000)}`);
}

function apply(container: string) {
  return run("docker", ["exec", container, "git-gate", "apply"], { timeout: 60_000 });
}

async function check(folder: string): Promise<void> {
  const { uid, gid } = owner();
  const { code, stdout, stderr } = await run("docker", [
    ...["run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"],
    ...["--user", `${uid}:${gid}`, "--label", `bottle.instance=${setting("INSTANCE")}`, "--volume", `${folder}:${gatePaths.config}:ro`],
    ...[setting("IMAGE"), "check-config", `${gatePaths.config}/${candidateName(GATE_CONFIG)}`],
  ]);
  if (code !== 0) throw new Error(`git-gate refuses the configuration rendered from bottle:git:\n${(stderr + stdout).trim().slice(-2000)}`);
}
