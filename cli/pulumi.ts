// Pulumi's Automation API, as this command uses it. Loaded only where it is needed: it takes most of a second.
import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { existsSync } from "node:fs";
import { manifestFile, stacksOf, type Project } from "./project.ts";
import { UserError } from "./user-error.ts";

export type { Stack } from "@pulumi/pulumi/automation/index.js";

export interface Told {
  /** Called with each piece of what Pulumi prints. */
  readonly onOutput?: (text: string) => void;
}

/** The stack, made where only its manifest is there yet. */
export async function openStack(project: Project, stackName: string): Promise<Stack> {
  if (!existsSync(manifestFile(project, stackName))) {
    throw new UserError(`Pulumi.${stackName}.yaml: is not in ${project.folder}`, `Stacks here: ${stacksOf(project).join(", ") || "none"}. A new bottle begins with its manifest; examples/implementer.yaml is one.`);
  }
  const { LocalWorkspace } = await import("@pulumi/pulumi/automation/index.js");
  const envVars = Object.fromEntries(Object.entries(project.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
  // pulumi is found by this process's own PATH.
  process.env["PATH"] = envVars["PATH"];
  try {
    return await LocalWorkspace.createOrSelectStack({ stackName, workDir: project.folder }, { envVars });
  } catch (error) {
    throw pulumiError(error, stackName);
  }
}

/** What an update said, without the Automation API's frame around it. */
export function pulumiError(error: unknown, stack: string): UserError {
  const text = (error as Error).message;
  const stderr = /stderr: ([\s\S]*?)(?:\n err\?:|$)/.exec(text)?.[1]?.trim();
  const stdout = /stdout: ([\s\S]*?)\n stderr:/.exec(text)?.[1]?.trim();
  const said = stderr || errorLines(stdout ?? "") || text;
  if (/currently locked/.test(text)) return new UserError(`stack ${stack}: is locked by another update`, `Wait for it; where none runs any more: pulumi cancel -s ${stack}`);
  return new UserError(`stack ${stack}: ${said}`);
}

/** The part of Pulumi's output that tells of errors. */
export function errorLines(output: string): string {
  const lines = output.split("\n");
  const from = lines.findIndex((line) => /^Diagnostics:|^Policies:/.test(line));
  return (from < 0 ? lines : lines.slice(from)).join("\n").trim().slice(-4000);
}
