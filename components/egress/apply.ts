// Run by a Command: writes rules.yaml (stdin), has egress's own image check it, and where egress
// runs puts it in force by reload. Rules that egress refuses never stay.
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ownedFile, ownedFolder } from "../files/owned-files.ts";
import { input, main, owner, setting } from "../files/script-io.ts";
import { run } from "../machine/run.ts";
import { reloadEgress } from "./control.ts";
import { egressPaths } from "./service.ts";

await main(async () => {
  const folder = setting("RULES_FOLDER");
  const live = join(folder, "rules.yaml");
  const next = join(folder, "rules.next.yaml");
  const rules = input();
  ownedFolder(folder, owner());
  ownedFile(next, rules, owner());
  try {
    await check(folder);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }

  const old = existsSync(live) ? readFileSync(live, "utf8") : undefined;
  renameSync(next, live);
  if (old === rules) return;
  const project = setting("COMPOSE_PROJECT");
  const inForce = await reloadEgress(project, (status) => status.revision === revisionOf(rules) && status.error === null);
  if (inForce === undefined || inForce.ok) return;
  if (old !== undefined) {
    ownedFile(live, old, owner());
    await reloadEgress(project, (status) => status.revision === revisionOf(old));
  }
  throw new Error(`egress did not take its new rules, and the old ones are in force: ${inForce.status?.error ?? "it did not answer in time"}`);
});

function revisionOf(rules: string): string {
  return (parse(rules) as { revision: string }).revision;
}

async function check(folder: string): Promise<void> {
  const { uid, gid } = owner();
  const { code, stdout, stderr } = await run("docker", [
    ...["run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"],
    ...["--user", `${uid}:${gid}`, "--label", `bottle.instance=${setting("INSTANCE")}`, "--volume", `${folder}:${egressPaths.rules}:ro`],
    ...[setting("IMAGE"), "check", `${egressPaths.rules}/rules.next.yaml`],
  ]);
  if (code !== 0) throw new Error(`egress refuses the rules rendered from bottle:network:\n${(stderr + stdout).trim().slice(-2000)}`);
}
