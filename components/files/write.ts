// Run by a Command: writes the files it is given on stdin as JSON {name: content} into FOLDER.
import { join } from "node:path";
import { ownedFile, ownedFolder } from "./owned-files.ts";
import { input, main, owner, setting } from "./script-io.ts";

await main(() => {
  const folder = setting("FOLDER");
  ownedFolder(folder, owner());
  for (const [name, content] of Object.entries(JSON.parse(input()) as Record<string, string>)) {
    ownedFile(join(folder, name), content, owner());
  }
});
