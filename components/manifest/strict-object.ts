// Mappings of the manifest: every key is known, or named as a slip.
import { z } from "zod";

/** A strict object whose unknown keys are named together with the keys there are. */
export function object<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `unknown key ${(issue.keys ?? []).map((key) => JSON.stringify(key)).join(", ")}; known here: ${known}`
        : undefined,
  });
}
