// A manifest with every default decided: what the rest of the program is made from.
import type { GitUrl } from "./git-url.ts";
import type { ManifestInput } from "./schema.ts";

/** A host allowed as a whole, with every default decided. */
export interface AllowedHost {
  readonly host: string;
  readonly inspect: boolean;
  readonly private: readonly string[];
  /** RFC 3339, UTC: egress refuses from then on. */
  readonly expires?: string;
}

/** A route's credential, by the id under which egress finds the token. */
export interface RouteAuth {
  /** Name of the host variable, or `secret_<route>`: the token's file name in egress, which takes letters, digits and _ only. */
  readonly token: string;
  readonly source: "variable" | "secret";
  readonly scheme: "bearer" | "basic" | "raw";
  readonly header: string;
  readonly username?: string;
  readonly optional: boolean;
}

export interface Route extends AllowedHost {
  readonly name: string;
  readonly scheme: "https" | "http";
  readonly port: number;
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  readonly websocket: boolean;
  readonly auth?: RouteAuth;
}

/** A repository that the agent reaches through git-gate. */
export interface GitUpstream {
  readonly name: string;
  readonly url: GitUrl;
  /** ssh: host path of the private key. */
  readonly identityFile?: string;
  /** ssh: keys and files as written; undefined: the user's own known_hosts. */
  readonly knownHosts?: readonly string[];
  /** https: `id` is its file's name in git-gate: the variable's own, or `secret_<upstream>`. */
  readonly token?: { readonly id: string; readonly source: "variable" | "secret"; readonly username: string };
  /** undefined: read-only. */
  readonly push?: { readonly branches: readonly string[]; readonly tags: readonly string[]; readonly delete: boolean; readonly force: boolean };
  readonly serveStale: boolean;
}

export interface Git {
  readonly upstreams: readonly GitUpstream[];
  readonly author?: { readonly name: string; readonly email: string };
  readonly signing?: { readonly identityFile: string };
  /** Host path of a gitleaks configuration. */
  readonly gitleaks?: string;
  /** pack and file in bytes, memory in Docker's notation. */
  readonly limits: { readonly pack: number; readonly file: number; readonly refs: number; readonly scanSeconds: number; readonly connections: number; readonly memory: string };
}

export interface Manifest {
  readonly agent: ManifestInput["agent"] & {
    readonly kind: "preset" | "image" | "build";
    readonly workspace: { readonly mode: "copy" | "mount" | "none"; readonly path?: string; readonly seed?: string | number };
  };
  readonly network: {
    readonly hosts: readonly AllowedHost[];
    readonly routes: readonly Route[];
    /** Keys of entries whose end has passed: in neither of the two. */
    readonly expired: readonly string[];
    readonly packages: readonly ("npm" | "pip" | "apt")[];
    readonly pool: string;
    readonly subnet?: string;
    readonly proxy?: "direct";
  };
  readonly git: Git;
  /** Whether the agent may ask for access while it runs. */
  readonly supervise: boolean;
  readonly trust: { readonly caFiles?: readonly string[] };
  readonly images: ManifestInput["images"];
  /** Tokens given as Pulumi secrets, by token id. Kept apart so that no renderer can print them. */
  readonly secrets: ReadonlyMap<string, string>;
  /** The same of git upstreams. */
  readonly gitSecrets: ReadonlyMap<string, string>;
}
