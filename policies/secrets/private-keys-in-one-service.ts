import { COMMANDS } from "../lib/compose.ts";
import { containersOf } from "../lib/containers.ts";
import { hostPaths, within } from "../lib/mounts.ts";
import { stackRule, type InStack } from "../lib/rule.ts";
import { PRIVATE_KEY } from "../lib/tls.ts";
import { entries, texts } from "../lib/values.ts";

/** Bottle's own writer of files for one uid (0600 by temp + rename). */
const ownWriter = /^exec node \S+ '[^']*\/components\/files\/write\.[jt]s'$/;
const inShell = /\bumask\s+0?[0-7]?77\b|\bchmod\s+(0?[46]00|u=rw?,go=)\s|\binstall\b[^;&|\n]*\s-m\s*0?[46]00\b/;

export const privateKeysInOneService = stackRule({
  name: "private-keys-in-one-service",
  description: "A private key reaches a file by stdin, of mode 0600, and the folders of keys and tokens are mounted into one service each.",
  severity: "critical",
  check: (resources, _report, { report }) => {
    const keys = new Set(resources.filter(({ type }) => type === PRIVATE_KEY).map(({ urn }) => urn));
    const writers = resources.filter((resource) => COMMANDS.has(resource.type) && propertiesOf(resource, keys).length > 0);
    for (const writer of writers) {
      for (const property of propertiesOf(writer, keys)) {
        if (property !== "stdin") report(writer.urn)(property, "is made from a private key, so logs and process lists show it; pass the key by stdin");
      }
      for (const key of ["create", "update"]) {
        const script = writer.properties[key];
        if (typeof script === "string" && !ownWriter.test(script) && !inShell.test(script)) report(writer.urn)(key, "writes a private key that others may read; begin with `umask 077` (0600)");
      }
    }
    const folders = [
      ...writers.map((writer) => ({ writer, folders: foldersOf(writer) })),
      ...resources.filter(({ type }) => COMMANDS.has(type)).map((writer) => ({ writer, folders: secretFoldersOf(writer) })),
    ];
    checkMounts(resources, folders, report);
  },
});

/** Properties that depend on a key. */
function propertiesOf({ propertyDependencies }: InStack, keys: ReadonlySet<string>): string[] {
  return Object.entries(propertyDependencies).flatMap(([property, urns]) => (urns.some((urn) => keys.has(urn)) ? [property] : []));
}

interface Written {
  readonly writer: InStack;
  readonly folders: readonly string[];
}

function checkMounts(resources: readonly InStack[], written: readonly Written[], report: (urn: string) => (path: string, text: string) => void): void {
  const mounts = resources.flatMap(({ type, urn, properties }) =>
    containersOf(type, properties).flatMap((container) => hostPaths(container).flatMap(({ path, source }) => (source === undefined ? [] : [{ service: `${urn} ${container.name}`, urn, path, source }]))),
  );
  for (const { writer, folders } of written) {
    const seen = mounts.filter(({ source }) => folders.some((folder) => within(folder, source) || within(source, folder)));
    if (new Set(seen.map(({ service }) => service)).size < 2) continue;
    for (const { urn, path } of seen) report(urn)(path, `shows keys or tokens (written by ${writer.name}) to more than one service; mount their folder into its one reader only, and no folder above it`);
  }
}

/** Where a command writes: the paths in its environment, and in its script but for programs. */
function foldersOf({ properties }: InStack): string[] {
  const script = texts(properties["create"], "create").flatMap(({ text }) => text.match(/(?<=^|[\s"'=>])\/[^\s"';|&<>]+/g) ?? []);
  const environment = texts(properties["environment"], "environment").flatMap(({ text }) => (text.startsWith("/") ? [text] : []));
  return [...environment, ...script.filter((path) => !/\.[cm]?[jt]s$|^\/(dev|bin|usr)\//.test(path))].map((path) => path.replace(/(.)\/+$/, "$1"));
}

/** Folders of secrets by what a command calls them: SECRET_FOLDER, TOKEN_DIR… */
function secretFoldersOf({ properties }: InStack): string[] {
  return entries(properties["environment"]).flatMap(([name, value]) => (/(TOKEN|SECRET|KEY|CREDENTIAL)S?_(FOLDER|DIR|DIRECTORY|PATH)$/i.test(name) && typeof value === "string" && value.startsWith("/") ? [value.replace(/(.)\/+$/, "$1")] : []));
}
