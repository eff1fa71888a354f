// Which Pulumi backend this program's stack is in: part of the bottle's identity.
import { realpathSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "yaml";

/**
 * The backend's URL in one canonical form, found as the Pulumi CLI finds it: PULUMI_BACKEND_URL,
 * else `backend.url` of Pulumi.yaml, else the one logged in to
 * (https://www.pulumi.com/docs/iac/concepts/state-and-backends/).
 *
 * @param project absolute path of the folder of Pulumi.yaml.
 */
export function backendUrl(project: string, environment: NodeJS.ProcessEnv = process.env): string {
  const url = environment["PULUMI_BACKEND_URL"] || fromProject(project) || fromLogin(environment) || "https://api.pulumi.com";
  if (!url.startsWith("file://")) return url.replace(/\/+$/, "");
  // Relative URLs count from the current directory; one folder has one name.
  const path = resolve(project, url.slice("file://".length).replace(/^~(?=\/|$)/, homedir()));
  try {
    return `file://${realpathSync(path)}`;
  } catch {
    return `file://${path}`;
  }
}

/** A backend's URL for others to read: without user, password and query, in which S3 and Postgres URLs carry credentials. */
export function shownBackend(url: string): string {
  return url.startsWith("file://") ? url : url.replace(/[?#].*$/s, "").replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, "$1");
}

function fromProject(project: string): string | undefined {
  try {
    const { backend } = parse(readFileSync(join(project, "Pulumi.yaml"), "utf8")) as { backend?: { url?: string } };
    return backend?.url;
  } catch {
    return undefined;
  }
}

function fromLogin(environment: NodeJS.ProcessEnv): string | undefined {
  try {
    const home = environment["PULUMI_HOME"] || join(homedir(), ".pulumi");
    return (JSON.parse(readFileSync(join(home, "credentials.json"), "utf8")) as { current?: string }).current;
  } catch {
    return undefined;
  }
}
