// Checks everything that is kept of one bottle.
import { join } from "node:path";
import { checkChain, type Checked } from "./chain.ts";
import { anchorFile, anchorsOf, checkEvidence, evidenceFiles } from "./log.ts";

export interface Verified {
  readonly file: string;
  readonly lines: number;
  readonly verdict: "whole" | "broken" | "not chained" | "missing";
  /** What is broken, then what is odd. */
  readonly findings: readonly string[];
}

/** @param root `state/<slug>`. */
export function verify(root: string): Verified[] {
  const files = evidenceFiles(root);
  const anchors = anchorsOf(root);
  const anchored = new Set(anchors.flatMap(({ heads }) => heads.map(({ file }) => file)));
  const gone = [...anchored].filter((file) => !files.includes(file)).map((file): Verified => ({ file, lines: 0, verdict: "missing", findings: [`${join(root, file)}: is gone, but was anchored`] }));
  return [
    ...files.map((file): Verified => {
      const checked = checkEvidence(root, file);
      const lost = lostAnchors(file, checked);
      const broken = [...checked.broken, ...lost.broken];
      const verdict = broken.length > 0 ? "broken" : checked.chained ? "whole" : "not chained";
      return { file, lines: checked.lines, verdict, findings: [...broken, ...checked.odd, ...lost.odd] };
    }),
    ...gone,
  ];

  /** Every anchored head must still be a line of the file, unless it can have been rotated away. */
  function lostAnchors(file: string, { hashes, fromStart }: Checked): { broken: string[]; odd: string[] } {
    const heads = anchors.flatMap(({ time, heads }) => heads.filter((head) => head.file === file).map(({ head }) => ({ time, head })));
    const found = heads.map(({ head }) => hashes.has(head));
    const lost = heads.filter((_, index) => !found[index]);
    if (lost.length === 0) return { broken: [], odd: [] };
    const firstFound = found.indexOf(true);
    const onlyOlder = heads.every((_, index) => found[index] || (firstFound >= 0 && index < firstFound));
    const text = `${join(root, file)}: the head anchored at ${lost.at(-1)!.time} is no line of it`;
    if (fromStart) return { broken: [`${text}: it was rewritten or cut since`], odd: [] };
    if (onlyOlder) return { broken: [], odd: [] };
    return firstFound >= 0 ? { broken: [`${text}, though an older one is: it was rewritten or cut since`], odd: [] } : { broken: [], odd: [`${text}: rotated away since, or rewritten; which, nothing here can tell`] };
  }
}

/** The anchors' own file. */
export function verifyAnchors(): Verified {
  const { lines, chained, broken, odd } = checkChain(anchorFile());
  return { file: anchorFile(), lines, verdict: broken.length > 0 ? "broken" : chained || lines === 0 ? "whole" : "not chained", findings: [...broken, ...odd] };
}
