// Run by a Command: builds the workspace image where the engine does not have it. stdin: JSON, a
// WorkspaceBuild.
import { input, main } from "../files/script-io.ts";
import { run } from "../machine/run.ts";
import { buildWorkspaceImage, type WorkspaceBuild } from "./workspace.ts";

await main(async () => {
  const build = JSON.parse(input()) as WorkspaceBuild;
  if ((await run("docker", ["image", "inspect", "--format", "{{.Id}}", build.image])).code !== 0) await buildWorkspaceImage(build);
});
