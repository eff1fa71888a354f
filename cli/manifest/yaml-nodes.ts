// Pieces of a manifest as the YAML library has them. Pure.
import { isMap, isScalar, isSeq, Scalar, visit, YAMLMap, YAMLSeq, type Document, type Node } from "yaml";

export function append(document: Document, list: YAMLSeq, entry: unknown): void {
  list.add(flowing(nodeOf(document, entry)));
}

/** On one line, as people write short entries. */
export function flowing(node: Node): Node {
  if (isMap(node) || isSeq(node)) {
    node.flow = true;
    for (const pair of isMap(node) ? node.items : []) if (isMap(pair.value) || isSeq(pair.value)) pair.value.flow = true;
  }
  return node;
}

/** Pulumi reads YAML 1.1, where a bare 2026-01-01T00:00:00Z is a time and a bare `on` is true: all but plain words are quoted. */
export function nodeOf(document: Document, value: unknown): Node {
  const node = document.createNode(value) as Node;
  visit(node, {
    Scalar: (key, scalar) => {
      const plainWord = /^[A-Za-z][A-Za-z0-9./-]*$/.test(String(scalar.value)) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(String(scalar.value));
      if (key !== "key" && typeof scalar.value === "string" && !plainWord) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return node;
}

/** The list at `config`'s key and part, made where it is not there. */
export function listAt(document: Document, key: string, part: string): YAMLSeq {
  if (!isMap(document.contents)) document.contents = document.createNode({}) as never;
  const config = childMap(document, document.contents as unknown as YAMLMap, "config");
  const parent = childMap(document, config, key);
  const found = parent.get(part, true) as unknown;
  if (isSeq(found)) {
    if (found.items.length === 0) found.flow = Boolean(parent.flow);
    return found;
  }
  const list = new YAMLSeq();
  parent.set(part, list);
  return list;
}

/** @throws Error where something else than a mapping is there. */
export function childMap(document: Document, parent: YAMLMap, key: string): YAMLMap {
  const found = parent.get(key, true) as unknown;
  if (isMap(found)) {
    if (found.items.length === 0) found.flow = false;
    return found;
  }
  if (found !== undefined && !(isScalar(found) && found.value === null)) throw new Error(`${key}: is no mapping`);
  const map = new YAMLMap(document.schema);
  parent.set(key, map);
  return map;
}
