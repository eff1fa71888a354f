// A manifest with every default decided: what the rest of the program is made from.
import type { ManifestInput } from "./schema.ts";

/** A host allowed as a whole, with every default decided. */
export interface AllowedHost {
  readonly host: string;
  readonly inspect: boolean;
  readonly private: readonly string[];
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

export interface Manifest {
  readonly agent: ManifestInput["agent"] & {
    readonly kind: "preset" | "image" | "build";
    readonly workspace: { readonly mode: "copy" | "mount" | "none"; readonly path?: string; readonly seed?: string | number };
  };
  readonly network: {
    readonly hosts: readonly AllowedHost[];
    readonly routes: readonly Route[];
    readonly packages: readonly ("npm" | "pip" | "apt")[];
    readonly pool: string;
    readonly subnet?: string;
    readonly proxy?: "direct";
  };
  readonly trust: { readonly caFiles?: readonly string[] };
  readonly images: ManifestInput["images"];
  /** Tokens given as Pulumi secrets, by token id. Kept apart so that no renderer can print them. */
  readonly secrets: ReadonlyMap<string, string>;
}
