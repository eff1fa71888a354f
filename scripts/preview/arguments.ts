// The preview's command line. Pure.
import { parseArgs } from "node:util";

export interface PreviewArguments {
  /** Files; none: every Pulumi.<stack>.yaml of the project. */
  readonly manifests: readonly string[];
  /** Folders of policy packs; undefined: bottle's own. */
  readonly packs?: readonly string[];
  /** Policy configuration, one file a pack. */
  readonly packConfig: readonly string[];
  /** Only says how it is used. */
  readonly help: boolean;
  /** Where Markdown is appended; default: GITHUB_STEP_SUMMARY. */
  readonly summaryFile?: string;
}

export const USAGE = `usage: bottle-preview [OPTION…] [MANIFEST…]

pulumi preview of each MANIFEST (default: every Pulumi.*.yaml here) with bottle's policy pack, as a new stack in a
backend that is gone afterwards. Needs a Docker engine and the Pulumi CLI on PATH; no login and no token.

  --policy-pack DIR          another pack in place of bottle's own; may be repeated
  --policy-pack-config FILE  configuration of the packs, in their order
  --no-policy-pack           without any
  --summary FILE             appends a summary in Markdown (default: $GITHUB_STEP_SUMMARY)`;

/** @throws Error for an option that is none. */
export function parsePreview(args: readonly string[]): PreviewArguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      "policy-pack": { type: "string", multiple: true },
      "policy-pack-config": { type: "string", multiple: true },
      "no-policy-pack": { type: "boolean" },
      summary: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  return {
    manifests: positionals,
    packs: values["no-policy-pack"] ? [] : values["policy-pack"],
    packConfig: values["policy-pack-config"] ?? [],
    summaryFile: values.summary,
    help: values.help,
  };
}
