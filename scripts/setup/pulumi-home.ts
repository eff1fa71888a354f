import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "./project.ts";

const require = createRequire(join(projectRoot, "package.json"));

/** Where the Pulumi CLI keeps itself, its plugins and logins: PULUMI_HOME, else ~/.pulumi. */
export function pulumiHome(environment: NodeJS.ProcessEnv = process.env): string {
  return environment["PULUMI_HOME"] || join(homedir(), ".pulumi");
}

/** The version of the Pulumi CLI that the lock file pins. */
export function pinnedPulumi(): string {
  return (require("pulumi/package.json") as { version: string }).version;
}

/** The folder that npm's `pulumi` package, and Pulumi's Automation API, install the pinned CLI in. */
export function pinnedPulumiFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return join(pulumiHome(environment), "versions", pinnedPulumi(), "bin");
}

/** A resource plugin: name as in "docker", version without "v". */
export interface Plugin {
  name: string;
  version: string;
}

/** The plugins that go with the Pulumi packages in package.json, at the versions in the lock file. */
export function pinnedPlugins(): Plugin[] {
  const { dependencies } = require("./package.json") as { dependencies: Record<string, string> };
  return Object.keys(dependencies).flatMap((name) => {
    if (!name.startsWith("@pulumi/")) return [];
    const manifest = require(`${name}/package.json`) as { version: string; pulumi?: { resource?: boolean; name?: string; version?: string } };
    if (!manifest.pulumi?.resource) return [];
    const plugin = manifest.pulumi.name ?? name.slice("@pulumi/".length);
    return [{ name: plugin, version: (manifest.pulumi.version ?? manifest.version).replace(/^v/, "") }];
  });
}
