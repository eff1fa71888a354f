// Run by a Command: writes pipelock.yaml (stdin), has pipelock check it, and where pipelock runs
// puts it in force: by reload, or by restart where pipelock refuses to reload it. Confirmed from
// pipelock's own log; a configuration that pipelock refuses never stays.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { containerHealth, poll, runningContainer } from "../compose/container.ts";
import { markApplied } from "../files/applied.ts";
import { candidateName, replaceChecked } from "../files/live-file.ts";
import { ownedFile, ownedFolder } from "../files/owned-files.ts";
import { input, main, owner, setting } from "../files/script-io.ts";
import { run } from "../machine/run.ts";
import { pipelockPaths, RECEIPT_KEY } from "./config.ts";
import { configHash, holdsConfig, logsSince } from "./control.ts";
import { closeEvidence, liveEvidence } from "./evidence.ts";
import { newReceiptKey } from "./receipt-key.ts";

const RELOAD_TIMEOUT = 6_000;
const RESTART_TIMEOUT = 20_000;

await main(async () => {
  const live = join(setting("CONFIG_FOLDER"), "pipelock.yaml");
  const config = input();
  const lost = prepareEvidence();
  let since = now();
  const old = await replaceChecked(live, config, owner(), async (folder) => {
    await check(folder);
    closeEvidence(setting("EVIDENCE_FOLDER")); // before the rename, at which pipelock reloads
    since = now();
  });
  const container = await runningContainer(setting("COMPOSE_PROJECT"), "pipelock");
  if (container !== undefined && !(await putInForce(container, config, old, since, lost))) {
    const other = old !== undefined && old !== config;
    if (other) {
      since = now();
      ownedFile(live, old, owner());
      await inForce(container, old, since);
    }
    throw new Error(`pipelock did not take its new configuration${other ? ", and the old one is in force again" : ""}. Its last lines:\n${await lastLines(container)}`);
  }
  markApplied();
});

/**
 * @param old what the file said before; undefined: it was not there.
 * @param lost whether its evidence's folder was.
 */
async function putInForce(container: string, config: string, old: string | undefined, since: string, lost: boolean): Promise<boolean> {
  if (old === config) {
    if (lost) return restarted(container, config);
    // Not so where a step was stopped before pipelock had it.
    if (await holdsConfig(container, config)) return true;
  }
  if (await inForce(container, config, since)) return true;
  // Taken down meanwhile (by hand, or by a replaced network): `up` starts it with the new file.
  return (await runningContainer(setting("COMPOSE_PROJECT"), "pipelock")) === undefined;
}

/** @returns whether the folder was gone: a running pipelock still has the old one mounted. */
function prepareEvidence(): boolean {
  const evidence = setting("EVIDENCE_FOLDER");
  const lost = !existsSync(liveEvidence(evidence));
  ownedFolder(liveEvidence(evidence), owner());
  const key = join(setting("CONFIG_FOLDER"), RECEIPT_KEY);
  if (existsSync(key)) return lost;
  closeEvidence(evidence); // signed with another key
  ownedFolder(setting("CONFIG_FOLDER"), owner());
  ownedFile(key, newReceiptKey(), owner());
  return lost;
}

/** pipelock's own check, in its image, where its paths exist. */
async function check(folder: string): Promise<void> {
  const { uid, gid } = owner();
  const { code, stdout, stderr } = await run("docker", [
    ...["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"],
    ...["--user", `${uid}:${gid}`, "--label", `bottle.instance=${setting("INSTANCE")}`],
    ...["--volume", `${folder}:${pipelockPaths.config}:ro`, "--volume", `${setting("CA_FOLDER")}:${pipelockPaths.ca}:ro`],
    ...[setting("IMAGE"), "check", "--config", `${pipelockPaths.config}/${candidateName("pipelock.yaml")}`],
  ]);
  if (code !== 0) throw new Error(`pipelock refuses the configuration rendered from bottle:network:\n${(stderr + stdout).trim().slice(-2000)}`);
}

/** A moment before this one, for `docker logs`: the engine's clock may differ a little. */
function now(): string {
  return new Date(Date.now() - 100).toISOString();
}

/**
 * Waits for the reload that pipelock does when its file is replaced; where it takes the change for a
 * downgrade (it says so) or did not see it, restarts it.
 *
 * @param since before the file was replaced.
 */
async function inForce(container: string, config: string, since: string): Promise<boolean> {
  const answer = await poll(async () => {
    const lines = await logsSince(container, since);
    if (lines.includes(configHash(config))) return "in force";
    if (/No such container/.test(lines)) return "gone";
    return /rejected: security downgrade|config reload failed|reload failed/.test(lines) ? "refused" : undefined;
  }, RELOAD_TIMEOUT);
  if (answer === "in force") return true;
  return answer !== "gone" && restarted(container, config);
}

/** Restarts pipelock, which mounts its folders anew. */
async function restarted(container: string, config: string): Promise<boolean> {
  const since = new Date().toISOString();
  await run("docker", ["restart", "--timeout", "2", container]);
  const started = await poll(async () => ((await logsSince(container, since)).includes(configHash(config)) && (await containerHealth(container)) === "healthy" ? true : undefined), RESTART_TIMEOUT);
  return started === true;
}

async function lastLines(container: string): Promise<string> {
  const { stdout, stderr } = await run("docker", ["logs", "--tail", "15", container]);
  return (stdout + stderr).trim().slice(-2000);
}
