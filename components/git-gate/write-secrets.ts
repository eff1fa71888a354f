// Run by a Command: makes git-gate's folder hold just the keys and tokens of the upstreams. Key files
// are read here by path, tokens come from the inherited environment, Pulumi secrets from stdin (JSON by
// id). Nothing of them is printed. git-gate reads them at each use.
import { readFileSync } from "node:fs";
import { runningContainer } from "../compose/container.ts";
import { fillSecretFolder } from "../files/secret-folder.ts";
import { input, main, owner, setting } from "../files/script-io.ts";
import { restartGate, seenRevision } from "./control.ts";

await main(async () => {
  const revision = setting("REVISION");
  const secrets = new Map(Object.entries(JSON.parse(input() || "{}") as Record<string, string>));
  for (const name of setting("TOKENS").split(",").filter(Boolean)) {
    const value = process.env[name];
    if (value) secrets.set(name, value);
  }
  for (const [id, path] of Object.entries(JSON.parse(setting("KEY_FILES")) as Record<string, string>)) {
    // ssh takes no key file without a newline at its end.
    secrets.set(id, `${readFileSync(path, "utf8").trimEnd()}\n`);
  }
  fillSecretFolder(setting("SECRET_FOLDER"), owner(), secrets, revision);
  const container = await runningContainer(setting("COMPOSE_PROJECT"), "git-gate");
  // The folder itself was gone (a logout empties /run/user): the mount still leads to the old one.
  if (container !== undefined && (await seenRevision(container)) !== revision) await restartGate(container);
});
