// Run by a Command: writes rules.yaml (stdin), has egress's own image check it, and where egress
// runs puts it in force by reload. Rules that egress refuses never stay.
import { join } from "node:path";
import { parse } from "yaml";
import { markApplied } from "../files/applied.ts";
import { candidateName, replaceChecked } from "../files/live-file.ts";
import { ownedFile, ownedFolder } from "../files/owned-files.ts";
import { input, main, owner, setting } from "../files/script-io.ts";
import { run } from "../machine/run.ts";
import { egressHolds, reloadEgress, restartEgress, type EgressStatus } from "./control.ts";
import { egressPaths } from "./service.ts";

await main(async () => {
  ownedFolder(setting("EVIDENCE_FOLDER"), owner());
  const live = join(setting("RULES_FOLDER"), "rules.yaml");
  const rules = input();
  await putInForce(live, rules, await replaceChecked(live, rules, owner(), check));
  markApplied();
});

/** @param old what the file said before; undefined: it was not there */
async function putInForce(live: string, rules: string, old: string | undefined): Promise<void> {
  const project = setting("COMPOSE_PROJECT");
  const taken = (status: EgressStatus) => status.revision === revisionOf(rules) && status.error === null;
  // Perhaps by a step that was stopped before egress had them.
  if (old === rules && (await egressHolds(project, taken))) return;
  // No old file under a running egress: the folder was lost, and its mount with it.
  const inForce = old === undefined ? await restartEgress(project, taken) : await reloadEgress(project, taken);
  if (inForce === undefined || inForce.ok) return;
  const other = old !== undefined && old !== rules;
  if (other) {
    ownedFile(live, old, owner());
    await reloadEgress(project, (status) => status.revision === revisionOf(old));
  }
  throw new Error(`egress did not take its new rules${other ? ", and the old ones are in force" : ""}: ${inForce.status?.error ?? "it did not answer in time"}`);
}

function revisionOf(rules: string): string {
  return (parse(rules) as { revision: string }).revision;
}

async function check(folder: string): Promise<void> {
  const { uid, gid } = owner();
  const { code, stdout, stderr } = await run("docker", [
    ...["run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"],
    ...["--user", `${uid}:${gid}`, "--label", `bottle.instance=${setting("INSTANCE")}`, "--volume", `${folder}:${egressPaths.rules}:ro`],
    ...[setting("IMAGE"), "check", `${egressPaths.rules}/${candidateName("rules.yaml")}`],
  ]);
  if (code !== 0) throw new Error(`egress refuses the rules rendered from bottle:network:\n${(stderr + stdout).trim().slice(-2000)}`);
}
