// Run by a Command: makes the folders that supervise mounts, for the uid of the sidecars.
import { ownedFolder } from "../files/owned-files.ts";
import { main, owner, setting } from "../files/script-io.ts";

await main(() => {
  for (const folder of setting("FOLDERS").split("\n")) ownedFolder(folder, owner());
});
