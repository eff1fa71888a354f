// What of the host a container sees, in whichever of Compose's ways it is said.
import { posix } from "node:path";
import { value, type Container } from "./containers.ts";
import { child, entries, isObject, known, list } from "./values.ts";

/** A path of the host that a container sees. */
export interface HostPath {
  /** Where it stands. */
  readonly path: string;
  /** Normalised; undefined where the container's file does not say it in a form that can be read. */
  readonly source: string | undefined;
}

/** Bind mounts, named volumes that are bind mounts in disguise, files of configs and secrets. */
export function hostPaths(container: Container): HostPath[] {
  const mounts = list(value(container, "volumes")).flatMap((mount, index) => mountedPath(container, mount, `${container.path("volumes")}[${index}]`));
  const files = ["configs", "secrets"].flatMap((kind) => filesOf(container, kind));
  return [...mounts, ...files];
}

function mountedPath(container: Container, mount: unknown, path: string): HostPath[] {
  if (typeof mount === "string") {
    const parts = mount.split(":");
    if (parts.length === 1) return []; // an anonymous volume
    const source = parts[0]!;
    return /^[./~]/.test(source) ? [{ path, source: normal(source) }] : volume(container, source);
  }
  if (!isObject(mount)) return [{ path, source: undefined }];
  switch (mount["type"]) {
    case "tmpfs":
      return [];
    case "volume":
      return volume(container, mount["source"]);
    case "bind":
      return [{ path: child(path, "source"), source: typeof mount["source"] === "string" ? normal(mount["source"]) : undefined }];
    default:
      return [{ path: child(path, "type"), source: undefined }];
  }
}

/** A named volume with driver options may be any folder of the host, or of another machine. */
function volume(container: Container, name: unknown): HostPath[] {
  if (name === undefined || name === null || name === "") return [];
  const volumes = container.file?.document["volumes"];
  const definition = isObject(volumes) ? volumes[String(name)] : undefined;
  if (!isObject(definition)) return [];
  const own = child("stdin: volumes", String(name));
  const options = known(definition["driver_opts"], child(own, "driver_opts"));
  const driver = definition["driver"];
  if (driver !== undefined && driver !== "local") return [{ path: child(own, "driver"), source: undefined }];
  if (options === undefined || options === null) return [];
  const device = isObject(options) ? options["device"] : undefined;
  const type = isObject(options) ? options["type"] : undefined;
  if (type === "tmpfs") return [];
  return [{ path: child(own, "driver_opts"), source: typeof device === "string" && device.startsWith("/") ? normal(device) : undefined }];
}

function filesOf(container: Container, kind: string): HostPath[] {
  const definitions = container.file?.document[kind];
  return list(value(container, kind)).flatMap((use) => {
    const name = isObject(use) ? use["source"] : use;
    const definition = entries(definitions).find(([key]) => key === name)?.[1];
    const file = isObject(definition) ? definition["file"] : undefined;
    return typeof file === "string" ? [{ path: child(child(`stdin: ${kind}`, String(name)), "file"), source: normal(file) }] : [];
  });
}

/** Without `.`, `..`, doubled and trailing slashes. `~` is somebody's home, so it stays in front. */
function normal(path: string): string {
  const short = posix.normalize(path.replace(/^\/+/, "/"));
  return short.length > 1 ? short.replace(/\/$/, "") : short;
}

/** True where one is the other or lies in it. */
export function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}
