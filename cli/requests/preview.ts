// `pulumi preview` of a manifest that is only a candidate yet.
import { join } from "node:path";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { DRIFT } from "../../components/drift/drift.ts";
import { errorLines, type Stack } from "../pulumi.ts";
import type { PolicyPacks } from "./policy-packs.ts";

export interface Previewed {
  readonly ok: boolean;
  /** What Pulumi printed. */
  readonly output: string;
  /** What would be done to which resource, without those that stay the same. */
  readonly changes: readonly { readonly op: string; readonly name: string; readonly type: string }[];
  /** What this machine lacks for it: warnings of a preview, on which `up` stops. */
  readonly lacking: readonly string[];
  /** Mandatory policies that refuse it. */
  readonly refusedBy: readonly string[];
}

/** @param text the candidate; undefined previews the manifest as it is. */
export async function preview(stack: Stack, text: string | undefined, policies: PolicyPacks): Promise<Previewed> {
  const folder = mkdtempSync(join(tmpdir(), "bottle-candidate-"));
  const changes: { op: string; name: string; type: string }[] = [];
  const lacking: string[] = [];
  const refusedBy = new Set<string>();
  let output = "";
  try {
    const configFile = text === undefined ? undefined : join(folder, "Pulumi.candidate.yaml");
    if (configFile) writeFileSync(configFile, text!, { mode: 0o600 });
    await stack.preview({
      configFile,
      policyPacks: [...policies.packs],
      policyPackConfigs: [...policies.configs],
      color: "never",
      suppressOutputs: true,
      suppressProgress: true,
      onOutput: (piece) => (output += piece),
      onError: (piece) => (output += piece),
      onEvent: ({ resourcePreEvent, policyEvent, diagnosticEvent }) => {
        if (policyEvent?.enforcementLevel === "mandatory") refusedBy.add(policyEvent.policyName);
        const { op, urn, type } = resourcePreEvent?.metadata ?? {};
        if (op && op !== "same" && op !== "read" && type !== "pulumi:pulumi:Stack") changes.push({ op, name: urn!.split("::").at(-1)!, type: type! });
        if (diagnosticEvent?.severity === "warning" && isOurs(diagnosticEvent.urn)) lacking.push(withoutColour(diagnosticEvent.message));
      },
    });
    return { ok: true, output: output.trim(), changes, lacking: lacking.filter((line) => !line.startsWith(DRIFT)), refusedBy: [...refusedBy] };
  } catch (error) {
    return { ok: false, output: errorLines(output) || (error as Error).message, changes, lacking, refusedBy: [...refusedBy] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of the program itself, not of a resource. */
const isOurs = (urn: string | undefined) => !urn || urn.includes("::pulumi:pulumi:Stack::");

/** The engine marks colours as <{%fg 1%}>. */
const withoutColour = (text: string) => text.replace(/<\{%[^%]*%\}>/g, "").trim();
