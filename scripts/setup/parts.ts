import { baseImagePart } from "./base-image.ts";
import { dockerEngine } from "./docker-engine.ts";
import type { Part } from "./part.ts";
import { pulumiCli } from "./pulumi-cli.ts";
import { pulumiPlugins } from "./pulumi-plugins.ts";
import { pulumiState } from "./state.ts";

/** Every part that all stacks share, in the order of set-up, by the name that people type. */
export const parts = {
  docker: dockerEngine,
  "base-image": baseImagePart,
  pulumi: pulumiCli,
  plugins: pulumiPlugins,
  state: pulumiState,
} satisfies Record<string, Part>;
