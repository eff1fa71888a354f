// The stack's configuration as Pulumi gives it to policies: all keys, secrets decrypted.
import * as pulumi from "@pulumi/pulumi";
import { isObject, type Plain } from "./values.ts";

/** Values by their whole key, such as `bottle:network`; objects are parsed. */
export function stackConfig(): Plain {
  return Object.fromEntries(Object.entries(pulumi.runtime.allConfig() as Record<string, string>).map(([key, text]) => [key, parsed(text)]));
}

/** The mapping under one key; an empty one where there is none. */
export function configOf(key: string): Plain {
  const value = stackConfig()[key];
  return isObject(value) ? value : {};
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
