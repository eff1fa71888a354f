import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The clone's own folder, absolute, without a trailing slash. */
export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
