// Run by a Command: builds the workspace image where the engine does not have it. stdin: JSON, a
// WorkspaceImageRequest.
import { input, main } from "../files/script-io.ts";
import { run } from "../machine/run.ts";
import { buildWorkspaceImage } from "./workspace.ts";

export interface WorkspaceImageRequest {
  /** Reference to build under. */
  readonly image: string;
  readonly agentImage: string;
  /** Absolute host path whose tree is copied; undefined: an empty workspace. */
  readonly source?: string;
  readonly uid: number;
  readonly gid: number;
  readonly labels: Readonly<Record<string, string>>;
}

await main(async () => {
  const request = JSON.parse(input()) as WorkspaceImageRequest;
  if ((await run("docker", ["image", "inspect", "--format", "{{.Id}}", request.image])).code !== 0) await buildWorkspaceImage(request);
});
