import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readDockerState } from "./docker-state.ts";
import { lastLines, run } from "./exec.ts";
import type { Machine } from "./machine.ts";
import { SetupError, type Progress } from "./part.ts";

const part = "Docker engine";
const logFile = "/var/log/dockerd.log";

/**
 * Starts the installed engine and waits until it answers, 60 s at most. Needs root.
 * With systemd its own unit is used; without an init, `dockerd` runs detached, with its log in /var/log/dockerd.log.
 * @throws SetupError with the end of the engine's log
 */
export async function startEngine(machine: Machine, dockerd: string, progress: Progress): Promise<void> {
  progress("starting the engine");
  let ended: number | undefined;
  if (machine.systemd) {
    const { code, stderr } = await run("systemctl", ["enable", "--now", "docker"], { timeout: 90_000 });
    if (code !== 0) {
      throw new SetupError(part, {
        problem: `its service does not start:\n${lastLines(stderr, 4)}`,
        tried: "systemctl enable --now docker",
        mend: "Read `journalctl -u docker`, mend it and run this again.",
      });
    }
  } else if (!(await answers())) {
    removeStalePidFiles();
    const log = openSync(logFile, "a");
    const child = spawn(dockerd, [], { detached: true, stdio: ["ignore", log, log], cwd: "/" });
    child.on("exit", (code) => (ended = code ?? -1));
    child.on("error", () => (ended = -1));
    child.unref();
    closeSync(log);
  }
  const deadline = Date.now() + 60_000;
  while (!(await answers())) {
    if (ended !== undefined || Date.now() > deadline) {
      throw new SetupError(part, {
        problem: `it ${ended === undefined ? "does not answer after 60 s" : "ended at once"}:\n${engineLog(machine)}`,
        tried: machine.systemd ? "systemctl enable --now docker" : `${dockerd} >> ${logFile}`,
        mend: `Read ${machine.systemd ? "`journalctl -u docker`" : logFile}, mend it and run this again.`,
      });
    }
    await sleep(300);
  }
}

async function answers(): Promise<boolean> {
  return (await readDockerState()).engine !== undefined;
}

/**
 * A machine that was stopped hard leaves pid files behind; by now another process may have that number, and the
 * engine would wait for it for ever.
 */
function removeStalePidFiles(): void {
  for (const [file, program] of [
    ["/run/docker.pid", "dockerd"],
    ["/run/docker/containerd/containerd.pid", "containerd"],
  ] as const) {
    try {
      const pid = readFileSync(file, "utf8").trim();
      if (commandOf(pid) !== program) rmSync(file, { force: true });
    } catch {
      // No such file: nothing is stale.
    }
  }
}

function commandOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return undefined;
  }
}

function engineLog(machine: Machine): string {
  if (machine.systemd) return "";
  try {
    return lastLines(readFileSync(logFile, "utf8"), 5);
  } catch {
    return "";
  }
}
