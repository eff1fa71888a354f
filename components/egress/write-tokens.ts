// Run by a Command: makes the folder in memory hold just the tokens of the routes, and has egress
// read them. Tokens come from the inherited environment, those that are Pulumi secrets from stdin
// (JSON by id). Nothing of them is printed.
import { fillSecretFolder } from "../files/secret-folder.ts";
import { input, main, owner, setting } from "../files/script-io.ts";
import { reloadEgress, restartEgress, type EgressStatus } from "./control.ts";

await main(async () => {
  const folder = setting("TOKEN_FOLDER");
  const revision = setting("REVISION");
  const secrets = JSON.parse(input() || "{}") as Record<string, string>;
  const variables = setting("TOKENS").split(",").filter(Boolean);
  const tokens = new Map<string, string>(Object.entries(secrets));
  for (const name of variables) {
    const value = process.env[name];
    if (value) tokens.set(name, value);
  }
  fillSecretFolder(folder, owner(), tokens, revision);

  const project = setting("COMPOSE_PROJECT");
  const taken = (status: EgressStatus) => status.tokens_revision === revision;
  let inForce = await reloadEgress(project, taken);
  // The folder itself was gone (a logout empties /run/user): the mount still leads to the old one.
  if (inForce?.ok === false) inForce = await restartEgress(project, taken);
  if (inForce !== undefined && !inForce.ok) throw new Error("egress did not take the new tokens in time; run `pulumi up` again, or look at its log: docker logs");
});
