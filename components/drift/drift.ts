// What happened to a bottle behind Pulumi's back since the last good `up`. A Command has no read, so
// the program looks, and what it finds becomes an input of the steps that mend it: an ordinary diff.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Identity } from "../identity.ts";
import { dockerEnvironment, type Engine } from "../machine/engine.ts";
import { evidenceStopped } from "../pipelock/evidence.ts";
import type { StateFolder } from "../state-folder.ts";
import { compareContainers, type ComposeDocument, type Finding } from "./containers.ts";
import { lookAtContainers } from "./look.ts";
import { fingerprint, readApplied } from "./record.ts";

export interface Drift {
  /** One line a finding, for people: `egress is stopped (exit code 137)`. */
  readonly findings: readonly string[];
  /** Rendered files that are gone, relative to `state/<slug>/`; the steps that write files run again. */
  readonly missingFiles: readonly string[];
  /** Input of `up`: as the last repair left it, and another text where something is to be repaired. */
  readonly repair?: string;
  /** The same for what must follow when the agent's container is made anew. */
  readonly agentRepair?: string;
}

/** Begins what preview says of a finding. Here, so that others tell it from what a machine lacks. */
export const DRIFT = "drift: ";

const COMPOSE_FILE = "docker-compose.yml";
const NONE: Drift = { findings: [], missingFiles: [] };

/** Looks; changes nothing. Nothing is found before the first good `up`, or where the engine does not answer. */
export async function findDrift(identity: Identity, engine: Engine, folder: StateFolder): Promise<Drift> {
  const applied = readApplied(folder.root);
  if (applied === undefined) {
    if (!existsSync(folder.metadata)) return NONE;
    const finding = "the record of the last `pulumi up` (.applied.json) is missing";
    return { ...NONE, findings: [finding], repair: `${new Date().toISOString()}: ${finding}` };
  }
  const containers = await lookAtContainers(identity.composeProject, dockerEnvironment(engine));
  if (containers === undefined) return { ...NONE, repair: applied.repair, agentRepair: applied.agentRepair };
  const missingFiles = applied.files.filter((file) => !existsSync(join(folder.root, file)));
  const findings: Finding[] = [];
  const others: string[] = [];
  const composeFile = missingFiles.includes(COMPOSE_FILE) ? undefined : readFileSync(folder.composeFile, "utf8");
  if (composeFile !== undefined && fingerprint(composeFile) !== applied.composeFile) others.push(`${COMPOSE_FILE} was changed by hand`);
  else if (composeFile !== undefined) findings.push(...compareContainers(parse(composeFile) as ComposeDocument, containers, applied.services));
  const pipelock = containers.find(({ Config, State }) => Config.Labels["com.docker.compose.service"] === "pipelock" && State.Status === "running");
  const stopped = pipelock && evidenceStopped(folder.pipelock.evidence, pipelock.State.StartedAt);
  if (stopped !== undefined) others.push(`pipelock records no evidence: ${stopped}`);

  const lines = [...findings.map(({ service, problem }) => `${service} ${problem}`), ...others];
  const repair = lines.length === 0 ? applied.repair : `${nextNumber(applied.repair)}: ${lines.join("; ")}`;
  const agentAnew = findings.some(({ service, kind }) => service === "agent" && ["missing", "changed"].includes(kind));
  return {
    findings: [...lines, ...missingFiles.map((file) => `${join(folder.root, file)} is missing`)],
    missingFiles,
    ...(repair !== undefined && { repair }),
    ...(agentAnew ? { agentRepair: repair } : applied.agentRepair !== undefined && { agentRepair: applied.agentRepair }),
  };
}

/** The same finding twice in a row is two repairs: without a number, Pulumi would see no difference. */
function nextNumber(repair = "0"): number {
  return (Number.parseInt(repair, 10) || 0) + 1;
}
