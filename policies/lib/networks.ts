// Docker networks as a stack asks for them.
import { known, type Plain } from "./values.ts";

export const NETWORK = "docker:index/network:Network";

/** Whether a network is closed to the outside, by Docker's name of it. */
export type Closed = ReadonlyMap<string, boolean>;

/** @returns name as Docker knows it, and whether it is internal. @throws NotKnown */
export function networkOf(inputs: Plain): { readonly name: string; readonly internal: boolean } {
  return { name: String(known(inputs["name"], "name") ?? ""), internal: known(inputs["internal"], "internal") === true };
}
