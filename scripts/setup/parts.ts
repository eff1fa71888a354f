import { baseImagePart } from "./base-image.ts";
import { dockerEngine } from "./docker-engine.ts";
import type { Part } from "./part.ts";

/** Every part that can be set up by itself, by the name that people type. */
export const parts = {
  docker: dockerEngine,
  "base-image": baseImagePart,
} satisfies Record<string, Part>;
