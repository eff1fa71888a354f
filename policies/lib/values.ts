// What a policy is given, as plain data. Reading a value that is unknown in preview throws in
// Pulumi's SDK, which then drops the whole rule to an advisory note: here it becomes a value of its own.

/** Stands for a value that Pulumi does not know before the update. */
export const UNKNOWN = Symbol("not known before the update");

export type Plain = Record<string, unknown>;

/** A rule needs a value that is not known yet. */
export class NotKnown extends Error {
  readonly path: string;

  constructor(path: string) {
    super(`${path} is not known`);
    this.path = path;
  }
}

/** A copy of a resource's properties with {@link UNKNOWN} for what is not known, at any depth. */
export function plain(properties: Readonly<Plain>): Plain {
  return copy(() => properties) as Plain;
}

function copy(read: () => unknown): unknown {
  let value: unknown;
  try {
    value = read();
  } catch (error) {
    // Not exported by @pulumi/policy, so known by its name alone.
    if ((error as Error).constructor.name === "UnknownValueError") return UNKNOWN;
    throw error;
  }
  if (typeof value !== "object" || value === null) return value;
  const object = value as Plain;
  if (Array.isArray(value)) return Array.from({ length: value.length }, (_, index) => copy(() => value[index]));
  return Object.fromEntries(Object.keys(object).map((key) => [key, copy(() => object[key])]));
}

/** The value itself. @throws NotKnown where it is not known, or holds something that is not. */
export function known(value: unknown, path: string): unknown {
  if (value === UNKNOWN) throw new NotKnown(path);
  if (typeof value === "object" && value !== null) for (const [key, inner] of Object.entries(value)) known(inner, child(path, key, Array.isArray(value)));
  return value;
}

/** Every text in a value, with its path; names of keys are no texts. What is not known is left out. */
export function texts(value: unknown, path: string): { readonly path: string; readonly text: string }[] {
  if (typeof value === "string") return [{ path, text: value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => texts(inner, child(path, key, Array.isArray(value))));
}

/** Path of an element, as `a.b[0]`; keys that would blur it are quoted. */
export function child(path: string, key: string, index = false): string {
  if (index) return `${path}[${key}]`;
  const name = /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
  return path === "" ? name : `${path}.${name}`;
}

export function isObject(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The elements of an array; none of anything else. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A mapping's entries; none of anything else. */
export function entries(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}
