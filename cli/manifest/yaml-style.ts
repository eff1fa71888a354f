// A changed document as text that differs from the old one only where it must. Pure.
import { isDeepStrictEqual } from "node:util";
import { applyPatch, diffLines, structuredPatch } from "diff";
import { parseDocument, type Document, type ToStringOptions } from "yaml";

/**
 * The library writes a whole document anew. Of its styles the nearest is taken, and what the change does in
 * that style is done to the text itself, wherever the outcome means the same: no other line is touched.
 */
export function inStyleOf(text: string, document: Document): string {
  const styles: ToStringOptions[] = [true, false].flatMap((flowCollectionPadding) => [true, false].flatMap((indentSeq) => [2, 4].map((indent) => ({ lineWidth: 0, flowCollectionPadding, indentSeq, indent }))));
  const cost = (candidate: string) => diffLines(text, candidate).reduce((sum, part) => sum + (part.added || part.removed ? part.count : 0), 0);
  const nearest = styles.map((style) => ({ style, cost: cost(parseDocument(text).toString(style)) })).sort((a, b) => a.cost - b.cost)[0]!.style;
  const changed = document.toString(nearest);
  for (const context of [3, 1, 0]) {
    const patch = structuredPatch("", "", parseDocument(text).toString(nearest), changed, "", "", { context });
    const patched = applyPatch(text, patch);
    if (patched !== false && sameMeaning(patched, changed)) return patched;
  }
  return changed;
}

function sameMeaning(a: string, b: string): boolean {
  const [first, second] = [parseDocument(a), parseDocument(b)];
  return first.errors.length === 0 && isDeepStrictEqual(first.toJSON(), second.toJSON());
}
