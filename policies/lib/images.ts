// What bottle asks of its image commands: pull or build.
import { COMMANDS } from "./compose.ts";
import { isObject, type Plain } from "./values.ts";

/** A request to build, as the stdin of a command that has one. */
export function imageRequest(type: string, inputs: Plain): { readonly build: Plain } | undefined {
  const text = inputs["stdin"];
  if (!COMMANDS.has(type) || typeof text !== "string" || !text.startsWith("{")) return undefined;
  try {
    const request = JSON.parse(text) as unknown;
    return isObject(request) && typeof request["image"] === "string" && isObject(request["build"]) ? { build: request["build"] } : undefined;
  } catch {
    return undefined;
  }
}

/** True where a name matches a pattern in which `*` is any text. */
export function matchesImage(pattern: string, image: unknown): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return typeof image === "string" && new RegExp(`^${parts.join(".*")}$`).test(image);
}
